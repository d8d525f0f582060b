// The of-watchdog, unchanged but for its metrics port: upstream's is a literal, so that a second watchdog on the
// same machine cannot start. Here the environment's metrics_port chooses it.
package main

import (
	"context"
	"log"
	"os"
	"strconv"

	"github.com/openfaas/of-watchdog/config"
	"github.com/openfaas/of-watchdog/pkg"
)

func main() {
	settings, err := config.New(os.Environ())
	if err != nil {
		log.Fatal(err)
	}

	if port, given := os.LookupEnv("metrics_port"); given {
		if settings.MetricsPort, err = strconv.Atoi(port); err != nil {
			log.Fatalf("metrics_port: %s", err)
		}
	}

	if err := pkg.NewWatchdog(settings).Start(context.Background()); err != nil {
		log.Fatal(err)
	}
}
