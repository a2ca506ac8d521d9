"""The evidence classifier: rules over the timeline alone. Pure; the same events always give the same verdict.

Every reason has a file that looks for its clues. A clue has a weight, the probability that it alone would explain the
session, and names the events that show it. The clues of a reason are combined as independent causes (noisy-or: 1 minus
the product of what each leaves open), and the confidence is that score, lowered when another reason comes close.

The weights are judgements from published usability research, not fitted to data: checkout surveys rank unexpected
extra cost, a forced account, doubts about handing over card data, long forms and site errors as the main causes of
abandonment, in about that order, and repeated clicks in vain, dead clicks and forms left half done are the signs of
frustration that session analytics agree on.
"""

from insights.classification.evidence.weigh import NAME, Case, cases, classify_by_evidence, evidence_of, kind_of, weigh

__all__ = ["NAME", "Case", "cases", "classify_by_evidence", "evidence_of", "kind_of", "weigh"]
