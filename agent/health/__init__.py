"""What the node says about itself: its machine, its clock, and the heartbeat that gathers what every room knows.

`vitals` decides what a heartbeat says, from readings and their times; `host` and `clock` touch the machine; `heart`
beats. Nothing that is measured here can hold a heartbeat up: what does not answer in time is said with its age.
"""
