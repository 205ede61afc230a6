"""One slow function behind Gradio's queue: it works, on the CPU, until a file exists. Runs with Gradio's own environment."""

import argparse
from pathlib import Path

import gradio

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--until", type=Path, required=True, help="The job ends once this exists.")
arguments = parser.parse_args()


def work(text: str) -> str:
    """Take a processor until told to end."""
    while not arguments.until.exists():
        sum(range(100_000))
    return text.upper()


with gradio.Blocks(analytics_enabled=False) as app:
    box, button, answer = gradio.Textbox(), gradio.Button(), gradio.Textbox()
    button.click(work, box, answer, api_name="work")

app.queue(default_concurrency_limit=1).launch(server_name="127.0.0.1", server_port=arguments.port, quiet=True, show_api=False)
