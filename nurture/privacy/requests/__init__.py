"""Requests: what somebody asked for on a page of ours and a mail must confirm first, since newsletters get forwarded."""
