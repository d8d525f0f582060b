module lambda-microservice/watchdog

go 1.24

// Tags of this project have no leading v, so a version is a commit with its time. This one is the first whose server is
// a package that others can import, and the one that OpenFaaS's own Go template builds on.
require github.com/openfaas/of-watchdog v0.0.0-20251114100857-67a6309db21b
