"""Features: parses bronze into silver rows, and computes offline and online features from them.

Works on frames, Arrow tables and bytes that callers hand in; reads and writes no store. May import
only `ontime_base`. What serving shares (declare, catalog, arithmetic, contract, online) needs no
pyspark.
"""
