"""Text that would like to be more than text."""

HOSTILE = "<script>alert(1)</script> | [run](javascript:alert(1)) ![](https://example.org/x.png) {download}`x`"
