"""Everything Dixa: its signature, its payloads, its API and the pace at which we may ask."""
