"""What comes in and goes out: bytes become a call, results and errors become a response.

May import everything below it but `app`. Nothing below imports it.
"""
