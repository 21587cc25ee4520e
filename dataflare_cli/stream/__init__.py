"""The loops that move records: text or records into a topic, and out of topics.

`writer` commits in the background, `ingest` reads input, `reader` takes records out.
"""
