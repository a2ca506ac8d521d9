"""What the browser SDK weighs, loses and costs, beside other scripts from npm: see `python -m bench.sdk`."""
