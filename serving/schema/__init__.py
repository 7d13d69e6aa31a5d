"""The schema of the API: requests, responses, problem details, instants.

Reads and writes nothing; imports nothing else of serving.
"""
