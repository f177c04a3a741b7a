"""How good predictions are, and what stands beside them: one evaluator for anybody's predictions. It needs no torch."""
