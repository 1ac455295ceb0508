"""What the API server and the kubelet make of objects."""
