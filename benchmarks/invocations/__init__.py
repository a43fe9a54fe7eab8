"""Both functions in Lambda's own runtime, for as many mixed invocations as one likes: each answered, and rightly."""
