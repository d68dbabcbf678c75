"""What was announced once can be announced again, under the ids that it had."""
