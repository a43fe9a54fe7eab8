"""What a viewer may be made to bear. docs/reliability.md says the same."""

ANY_SECONDS = 2.5
KNOWN_SECONDS = 1.0
AGAIN_SECONDS = 0.1
"""For a later page of a website whose bucket has just failed."""
WELL_SECONDS = 12.0
"""From the end of a fault to right, fresh answers: the fresh time, or the longest pause, and a little."""
RETRY_AFTER_SECONDS = 10
OUTAGE_SECONDS = 600.0
TRIES_A_SECOND = 1.0
LINES_A_SECOND = 1.0
"""In an outage of all regions, of one instance."""
FOLLOWING_SECONDS = 35.0
"""From the end of a fault of feed or snapshot until the feed is followed again: a snapshot is looked for each 20 s."""
CHANGE_SECONDS = 10.0
"""From a change to its being seen, as long as the table answers."""
START_SLACK_SECONDS = 0.5
"""What a start may take besides waiting: it has a whole processor in Lambda, here a busy one's share."""
