"""Features: silver tables in, the feature table out.

Reads silver frames handed to it; writes nothing; may import only the standard library, pydantic, msgspec, numpy, pyarrow and pyspark.
The modules that serving shares (contract, arithmetic, catalog, online, clock, columns, settings) import neither pyspark nor pandas.
"""
