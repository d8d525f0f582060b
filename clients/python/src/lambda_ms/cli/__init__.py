"""The command line, `lambda-ms`: each command is a few calls of `lambda_ms.Client`, and their answers for people."""
