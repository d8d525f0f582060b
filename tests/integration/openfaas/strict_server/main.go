// Go's own HTTP server, answering like wsgi_app.echo: which requests has it understood, and how?
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

func echo(answer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		answer.Header().Set("Connection", "close")
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	digest := sha256.Sum256(body)
	answer.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(answer).Encode(map[string]string{
		"method": request.Method,
		"path":   request.URL.Path,
		"query":  request.URL.RawQuery,
		"digest": hex.EncodeToString(digest[:]),
	})
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	server := http.Server{Handler: http.HandlerFunc(echo), MaxHeaderBytes: 32 << 10}
	fmt.Fprintln(os.Stderr, server.Serve(listener))
}
