"""The grammar from which the starter corpus is made: rules and word lists as text files, and the few modules
that read, expand, spell and write them. Standard library only; the same bytes on every Python from 3.10 on."""
