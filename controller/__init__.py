"""The centre: what the nodes say of themselves, folded into one picture that every view shows with its age."""
