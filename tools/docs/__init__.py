"""Documents that are made from the code: the OpenAPI document and the page of the configuration."""
