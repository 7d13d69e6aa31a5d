"""Features: silver tables in, the feature table out.

Reads silver frames handed to it; writes nothing; may import no other package of Ontime.
What serving shares (declarations, catalog, arithmetic, contract, online) needs no pyspark.
"""
