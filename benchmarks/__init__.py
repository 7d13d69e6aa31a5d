"""Benchmarks: Ontime and its peers on the same work, measured in one run.

Reads the real year's source files; writes `.ontime/bench` and `.ontime/figures`; may import every
package of Ontime, and none of them imports it.
"""
