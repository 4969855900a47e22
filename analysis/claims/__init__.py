"""The claims of the published study, each judged by recorded runs. Pure."""
