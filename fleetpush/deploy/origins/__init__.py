"""The peers that start with the content: the operator's machine, or hosts that the sources lie on."""
