"""What callers send and receive: requests, responses, problem details, instants.

Reads and writes nothing; imports nothing else of serving.
"""
