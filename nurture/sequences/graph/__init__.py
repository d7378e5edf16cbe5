"""The flow of a sequence as a picture: `flow` says it in words, `layout` gives everything its place, `drawing` and
`mermaid` write it down, `store` counts who stands where and who went which way.
"""
