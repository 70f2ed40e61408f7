"""A class of learners: submissions, their judgement on the live system, and where the class stands."""
