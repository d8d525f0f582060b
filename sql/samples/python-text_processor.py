"""Counts the words or characters of a text, or changes its case."""

OPERATIONS = {
    "count_words": lambda text: len(text.split()),
    "count_chars": len,
    "uppercase": str.upper,
    "lowercase": str.lower,
}


def handle(params):
    operation, text = params.get("operation"), params.get("text")
    if operation not in OPERATIONS:
        raise ValueError(f"operation must be one of {', '.join(OPERATIONS)}")
    if not isinstance(text, str):
        raise TypeError("text must be a string")
    return {"operation": operation, "value": OPERATIONS[operation](text)}
