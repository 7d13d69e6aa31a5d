"""Serving beside its peers: the same model and flights, one worker each, over real HTTP."""
