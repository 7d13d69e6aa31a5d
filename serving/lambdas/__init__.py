"""The AWS Lambda adapters: functions behind API Gateway and behind the queues.

Read Lambda events; return responses or partial batch responses. May import the rest of serving
but server.
"""
