"""The engines: each does the work from Parquet files to a written table in its own idiom."""
