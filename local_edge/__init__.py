"""What a laptop runs: CloudFront played from template.yaml, an embedded AWS, a demo world."""
