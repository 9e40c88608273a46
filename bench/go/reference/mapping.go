package main

import (
	"encoding/json"
	"log"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Event is what is needed of a Segment event.
type Event struct {
	Type       string          `json:"type"`
	UserID     string          `json:"userId"`
	MessageID  string          `json:"messageId"`
	Timestamp  string          `json:"timestamp"`
	Name       string          `json:"name"`
	Event      string          `json:"event"`
	Traits     json.RawMessage `json:"traits"`
	Properties json.RawMessage `json:"properties"`

	partition int32
	offset    int64
}

func decode(record *kgo.Record) Event {
	event := Event{partition: record.Partition, offset: record.Offset}
	if err := json.Unmarshal(record.Value, &event); err != nil {
		log.Fatal(err)
	}
	return event
}

// appendBody writes one request: the events are of one user, and an identify is alone.
func appendBody(body []byte, events []Event) []byte {
	body = append(body, `{"user":{"user_customer_id":`...)
	body = appendText(body, events[0].UserID)
	body = append(body, `,"anonymous":false`...)
	if events[0].Type == "identify" && events[0].Traits != nil {
		body = append(body, `,"properties":`...)
		body = append(body, events[0].Traits...)
	}
	body = append(body, `},"events":[`...)
	for i := range events {
		if i > 0 {
			body = append(body, ',')
		}
		body = appendEvent(body, &events[i])
	}
	return append(body, `]}`...)
}

func appendEvent(body []byte, event *Event) []byte {
	body = append(body, `{"event_type":`...)
	switch event.Type {
	case "track":
		body = append(body, `"track","event_customer_id":`...)
		body = appendText(body, event.Event)
	case "page", "screen":
		body = appendText(body, event.Type+"view")
		body = append(body, `,"name":`...)
		body = appendText(body, event.Name)
	default:
		body = appendText(body, event.Type)
	}
	if event.Type != "identify" && event.Properties != nil {
		body = append(body, `,"properties":`...)
		body = append(body, event.Properties...)
	}
	body = append(body, `,"insert_id":`...)
	body = appendText(body, event.MessageID)
	body = append(body, `,"event_timestamp":`...)
	body = appendText(body, strings.Replace(event.Timestamp, "T", " ", 1))
	return append(body, '}')
}

func appendText(body []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil {
		log.Fatal(err)
	}
	return append(body, quoted...)
}
