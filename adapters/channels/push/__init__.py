"""Messages to browsers and phones that subscribed."""
