// Asks the sink for all it can take: one event a request, each connection its own user, without Kafka and without JSON.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"sync/atomic"
)

// Of the length of a mapped event of the benchmark, which has 600 bytes in Kafka.
const shape = `{"user":{"user_customer_id":"u%08d","anonymous":false},"events":[{"event_type":"%s",` +
	`"event_customer_id":"Order Completed","properties":{"padding":"%s"},` +
	`"insert_id":"e%010d","event_timestamp":"2026-11-23 10:00:00.000Z"}]}`

func main() {
	address := flag.String("address", "", "host:port of the sink")
	connections := flag.Int("connections", 64, "requests at once; also the number of users")
	flag.Parse()
	var next atomic.Int64
	for user := 1; user < *connections; user++ {
		go send(*address, user, &next)
	}
	send(*address, 0, &next)
}

func send(address string, user int, next *atomic.Int64) {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	reader := bufio.NewReader(connection)
	padding := strings.Repeat("x", 120)
	kind := "identify"
	for {
		body := fmt.Sprintf(shape, user, kind, padding, next.Add(1)-1)
		_, err := fmt.Fprintf(
			connection, "POST /v1/cfe HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", address, len(body), body,
		)
		if err != nil {
			log.Fatal(err)
		}
		for { // the answer's head, then its two bytes
			line, err := reader.ReadSlice('\n')
			if err != nil {
				log.Fatal(err)
			}
			if len(line) <= 2 {
				break
			}
		}
		if _, err := io.CopyN(io.Discard, reader, 2); err != nil {
			log.Fatal(err)
		}
		kind = "track"
	}
}
