"""Intent: what a profile says about where the visit is heading, as four scores and a stage."""
