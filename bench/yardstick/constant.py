"""The least that Flask can do under gunicorn: the same answer to whatever is asked."""

from flask import Flask, Response, jsonify

app = Flask(__name__)


@app.post("/")
def answer() -> Response:
    return jsonify(result=2)
