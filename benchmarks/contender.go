// Lists a job with the AWS SDK for Go v2, with the protocol of contenders.py.
package main

import (
	"context"
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iot"
)

type request struct {
	URL   string `json:"url"`
	JobID string `json:"job_id"`
}

var clients = map[string]*iot.Client{}
var peakPattern = regexp.MustCompile(`VmHWM:\s+(\d+)`)

func clientOf(url string) *iot.Client {
	if clients[url] == nil {
		clients[url] = iot.New(iot.Options{
			Region:           "us-east-1",
			Credentials:      credentials.NewStaticCredentialsProvider("testing", "testing", ""),
			EndpointResolver: iot.EndpointResolverFromURL(url),
		})
	}
	return clients[url]
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func peak() float64 {
	status, err := os.ReadFile("/proc/self/status")
	check(err)
	kibibytes, err := strconv.ParseFloat(string(peakPattern.FindSubmatch(status)[1]), 64)
	check(err)
	return kibibytes * 1024
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func listOnce(asked request) map[string]float64 {
	start, cpuStart, count := time.Now(), cpuSeconds(), 0
	input := iot.ListJobExecutionsForJobInput{JobId: &asked.JobID, MaxResults: aws.Int32(250)}
	pages := iot.NewListJobExecutionsForJobPaginator(clientOf(asked.URL), &input)
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		check(err)
		count += len(page.ExecutionSummaries)
	}
	cpu := cpuSeconds()
	return map[string]float64{
		"count": float64(count), "cpu": cpu - cpuStart, "process_cpu": cpu,
		"wall": time.Since(start).Seconds(), "peak": peak(),
	}
}

func main() {
	requests, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for requests.More() {
		var asked request
		check(requests.Decode(&asked))
		check(answers.Encode(listOnce(asked)))
	}
}
