"""Operations: the ledger of decisions, and promotion, rollout, rollback and reconciliation.

Reads and writes the artifact store (ledger, release document) and the registry's aliases. May
import training, serving and features. Decisions are pure functions; others carry them out.
"""
