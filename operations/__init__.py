"""Operations: what keeps the system running and accountable: the ledger, promotion, the rollout.

Reads and writes the artifact store (ledger, release document) and the registry's aliases. May
import training, serving and features. Decisions are pure functions, other functions carry them out.
"""
