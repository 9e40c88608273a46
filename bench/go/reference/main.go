// The same order guarantee in Go: franz-go reads, fasthttp sends, a lane per user with one request in flight, what waits in
// a lane goes out together, and only what is finished up to the first gap is committed.
//
// It is the yardstick for what another language would win, not a product: no state, no dead letters, no rebalance handling,
// no pausing of a failing destination; an answer other than 2xx is sent again until it is taken.
package main

import (
	"context"
	"flag"
	"log"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/valyala/fasthttp"
)

func main() {
	brokers := flag.String("brokers", "", "bootstrap servers")
	topic := flag.String("topic", "", "topic of Segment events")
	group := flag.String("group", "", "consumer group")
	url := flag.String("url", "", "where events are posted")
	inFlight := flag.Int("in-flight", 64, "requests at once")
	batch := flag.Int("batch", 100, "events of a user in one request")
	buffer := flag.Int("buffer", 20_000, "events read and not finished, at most")
	flag.Parse()

	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(*brokers, ",")...),
		kgo.ConsumerGroup(*group),
		kgo.ConsumeTopics(*topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.FetchMaxWait(100*time.Millisecond),
	)
	if err != nil {
		log.Fatal(err)
	}
	lanes := NewLanes(*batch, *buffer)
	destination := &fasthttp.Client{MaxConnsPerHost: *inFlight, NoDefaultUserAgentHeader: true}
	for range *inFlight {
		go work(lanes, destination, *url)
	}
	go commit(client, lanes, *topic)
	for {
		fetched := client.PollRecords(context.Background(), 1_000)
		if errs := fetched.Errors(); len(errs) > 0 {
			log.Fatal(errs[0].Err)
		}
		fetched.EachRecord(lanes.Add)
	}
}

func work(lanes *Lanes, destination *fasthttp.Client, url string) {
	request, response := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	request.SetRequestURI(url)
	request.Header.SetMethod("POST")
	request.Header.SetContentType("application/json")
	request.Header.Set("Authorization", "Bearer benchmark-key")
	var body []byte
	for {
		lane, events := lanes.Take()
		body = appendBody(body[:0], events)
		request.SetBodyRaw(body)
		for {
			err := destination.Do(request, response)
			if err == nil && response.StatusCode()/100 == 2 {
				break
			}
			log.Print("sent again: ", response.StatusCode(), " ", err)
			time.Sleep(100 * time.Millisecond)
		}
		lanes.Finish(lane, events)
	}
}

// commit once a second, as the others do.
func commit(client *kgo.Client, lanes *Lanes, topic string) {
	for range time.Tick(time.Second) {
		offsets := lanes.Committable()
		if len(offsets) == 0 {
			continue
		}
		client.CommitOffsetsSync(
			context.Background(), map[string]map[int32]kgo.EpochOffset{topic: offsets},
			func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitResponse, err error) {
				if err != nil {
					log.Print("commit: ", err)
				}
			},
		)
	}
}
