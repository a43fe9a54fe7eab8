"""What is served over HTTP: the API, as a Lambda function and to the console, and the console itself."""
