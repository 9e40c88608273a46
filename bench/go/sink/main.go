// The destination of every benchmark: an HTTP/1.1 server that answers 200 after a fixed time and reads just enough of each
// body to count events and to check each user's order. One goroutine a connection, no HTTP library.
//
// Standard output, first line: the port for events and the port for questions. GET /stats there answers what came so far,
// GET /arrivals the arrival of every event as unix nanoseconds (little-endian int64, by event number; 0: not come).
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

var (
	userField   = []byte(`"user_customer_id"`)
	idField     = []byte(`"insert_id"`)
	identify    = []byte(`"identify"`)
	lengthField = []byte("content-length:")
	answer      = []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
)

// Sink counts what it is sent.
type Sink struct {
	latency  time.Duration
	last     []atomic.Int64 // per user: number of the latest event, plus one
	arrivals []atomic.Int64 // per event, where wanted

	requests, events, introductions   atomic.Int64
	outOfOrder, beforeIdentify, wrong atomic.Int64
	inFlight, inFlightMax             atomic.Int64
	firstNs, lastNs                   atomic.Int64
}

func main() {
	latency := flag.Duration("latency", 0, "time before each answer")
	users := flag.Int("users", 1, "users are numbered below this")
	arrivals := flag.Int("arrivals", 0, "record the arrival of events numbered below this")
	flag.Parse()
	sink := &Sink{
		latency: *latency, last: make([]atomic.Int64, *users), arrivals: make([]atomic.Int64, *arrivals),
	}
	events, questions := listen(), listen()
	fmt.Println(port(events), port(questions))
	http.HandleFunc("/stats", sink.stats)
	http.HandleFunc("/arrivals", sink.arrived)
	go func() { log.Fatal(http.Serve(questions, nil)) }()
	for {
		connection, err := events.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go sink.serve(connection)
	}
}

func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return listener
}

func port(listener net.Listener) int {
	return listener.Addr().(*net.TCPAddr).Port
}

func (s *Sink) serve(connection net.Conn) {
	defer connection.Close()
	reader := bufio.NewReaderSize(connection, 64*1024)
	var body []byte
	for {
		length, err := contentLength(reader)
		if err != nil {
			if err != io.EOF {
				s.wrong.Add(1)
			}
			return
		}
		if cap(body) < length {
			body = make([]byte, length)
		}
		body = body[:length]
		if _, err := io.ReadFull(reader, body); err != nil {
			s.wrong.Add(1)
			return
		}
		s.receive(body)
		if s.latency > 0 {
			time.Sleep(s.latency)
		}
		s.inFlight.Add(-1)
		if _, err := connection.Write(answer); err != nil {
			return
		}
	}
}

// contentLength reads a request's head. Bodies in chunks are not understood: no contender sends them.
func contentLength(reader *bufio.Reader) (int, error) {
	length := -1
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			if err == io.EOF && length == -1 && len(line) == 0 {
				return 0, io.EOF
			}
			return 0, fmt.Errorf("a head that ends early: %w", err)
		}
		if len(line) <= 2 {
			if length < 0 {
				return 0, fmt.Errorf("no Content-Length")
			}
			return length, nil
		}
		if len(line) > len(lengthField) && bytes.EqualFold(line[:len(lengthField)], lengthField) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(lengthField):]))); err != nil {
				return 0, err
			}
		}
	}
}

func (s *Sink) receive(body []byte) {
	now := time.Now().UnixNano()
	atMost(&s.inFlightMax, s.inFlight.Add(1))
	s.firstNs.CompareAndSwap(0, now)
	user := int64(-1)
	if at := bytes.Index(body, userField); at >= 0 {
		user = number(body[at+len(userField):])
	}
	if user < 0 || user >= int64(len(s.last)) {
		s.wrong.Add(1)
		return
	}
	isIdentify := bytes.Contains(body, identify)
	rest := body
	for {
		at := bytes.Index(rest, idField)
		if at < 0 {
			break
		}
		rest = rest[at+len(idField):]
		s.event(user, rest, isIdentify, now)
	}
	s.lastNs.Store(now)
	s.requests.Add(1)
}

func (s *Sink) event(user int64, afterName []byte, isIdentify bool, now int64) {
	value := afterName[bytes.IndexByte(afterName, '"')+1:]
	if len(value) > 0 && value[0] == 'i' { // introduction-…: made by the consumer itself
		s.introductions.Add(1)
		return
	}
	event := number(value)
	before := s.last[user].Swap(event + 1)
	if before > event {
		s.outOfOrder.Add(1) // also one that comes twice
	}
	if before == 0 && !isIdentify {
		s.beforeIdentify.Add(1)
	}
	if event >= 0 && event < int64(len(s.arrivals)) {
		s.arrivals[event].CompareAndSwap(0, now)
	}
	s.events.Add(1)
}

// number gives the first run of digits, -1 where there is none within 16 bytes.
func number(text []byte) int64 {
	i := 0
	for i < len(text) && i < 16 && (text[i] < '0' || text[i] > '9') {
		i++
	}
	if i == len(text) || i == 16 {
		return -1
	}
	value := int64(0)
	for ; i < len(text) && text[i] >= '0' && text[i] <= '9'; i++ {
		value = value*10 + int64(text[i]-'0')
	}
	return value
}

func atMost(highest *atomic.Int64, value int64) {
	for {
		before := highest.Load()
		if value <= before || highest.CompareAndSwap(before, value) {
			return
		}
	}
}

func (s *Sink) stats(w http.ResponseWriter, _ *http.Request) {
	_ = json.NewEncoder(w).Encode(map[string]int64{
		"requests":        s.requests.Load(),
		"events":          s.events.Load(),
		"introductions":   s.introductions.Load(),
		"out_of_order":    s.outOfOrder.Load(),
		"before_identify": s.beforeIdentify.Load(),
		"wrong":           s.wrong.Load(),
		"in_flight_max":   s.inFlightMax.Load(),
		"first_ns":        s.firstNs.Load(),
		"last_ns":         s.lastNs.Load(),
	})
}

func (s *Sink) arrived(w http.ResponseWriter, _ *http.Request) {
	all := make([]byte, 8*len(s.arrivals))
	for i := range s.arrivals {
		binary.LittleEndian.PutUint64(all[8*i:], uint64(s.arrivals[i].Load()))
	}
	_, _ = w.Write(all)
}
