"""Online inference: from requests to predictions and the records of them.

Reads online items; hands over prediction records. May import models, online and below.
"""
