/** The status examples of lemlist's own documentation, for the OpenAPI document. */
export const STATUS_EXAMPLES = {
  done: {
    summary: 'Done: the CSV can be downloaded',
    value: {
      ok: true,
      status: {
        _id: 'axp_7guBefTBQGqFfps87',
        id: 'axp_7guBefTBQGqFfps87',
        teamId: 'tea_b4rMsi2trB42WyuWP',
        campaignId: 'cam_DqHpWfjd67n2KTj2W',
        campaignName: 'lemstage',
        status: 'done',
        startedAt: '2025-10-27T07:53:16.267Z',
        progressIndex: 6,
        progressTime: 1761551597286,
        progressLastStepDuration: 0,
        progressType: 'done',
        progress: 0,
        total: 0,
        fileSize: 23654,
        endedAt: '2025-10-27T07:53:17.286Z',
        url: 'https://api.lemlist.com/api/files/exports/fil_axp_7guBefhehehe.csv',
      },
    },
  },
  pending: {
    summary: 'Pending: still being processed',
    value: {
      ok: true,
      status: {
        id: 'axp_Vv6lJOc8NlVVmDud5',
        teamId: 'tea_c123fg5h8ijKL9noP',
        campaignId: 'cam_A1B2C3D4E5F6G7H8I9',
        campaignName: 'Insights Outreach 2024',
        status: 'pending',
        startedAt: '2020-01-01T00:00:00.000Z',
        progressIndex: 3,
        progressTime: 1639138959979,
        progressLastStepDuration: 200,
        progressType: 'processing',
        progress: 50,
        total: 100,
      },
    },
  },
} as const

/** The list of a campaign. */
export const LIST_EXAMPLES = {
  two: {
    summary: 'One export is pending, and one is done',
    value: {
      campaignId: STATUS_EXAMPLES.done.value.status.campaignId,
      exports: [
        {
          exportId: 'axp_Vv6lJOc8NlVVmDud5',
          state: 'pending',
          firstSeenAt: '2025-10-27T08:01:02.003Z',
          observedAt: '2025-10-27T08:01:02.003Z',
          body: null,
        },
        {
          exportId: STATUS_EXAMPLES.done.value.status.id,
          state: 'done',
          firstSeenAt: '2025-10-27T07:53:16.400Z',
          observedAt: '2025-10-27T07:53:17.500Z',
          fileUntil: '2025-10-28T07:53:17.286Z',
          body: STATUS_EXAMPLES.done.value,
        },
      ],
    },
  },
} as const

export const TICKET_EXAMPLES = {
  made: {
    summary: 'A ticket for 15 minutes',
    value: {
      ticket: 'eyJhbGciOiJIUzI1NiIsInR5cCI6ImxlZy10aWNrZXQrand0In0.eyJleHAiOjB9.c2lnbmF0dXJl',
      expiresAt: '2025-10-27T08:08:17.000Z',
    },
  },
} as const

/** An answer of lemlist to a start. */
export const START_EXAMPLES = {
  started: {
    summary: 'Started',
    value: {
      _id: 'axp_Vv6lJOc8NlVVmDud5',
      id: 'axp_Vv6lJOc8NlVVmDud5',
      teamId: 'tea_c123fg5h8ijKL9noP',
      campaignId: 'cam_A1B2C3D4E5F6G7H8I9',
      campaignName: 'Insights Outreach 2024',
      status: 'pending',
      startedAt: '2024-07-09T13:43:52.124Z',
      progressIndex: 0,
      progressTime: 1720532632124,
      progressLastStepDuration: 0,
      progressType: 'starting',
      progress: 0,
      total: 0,
    },
  },
} as const

const { pending, done } = STATUS_EXAMPLES
const status = (id: string, data: unknown) =>
  `event: status\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`
const end = (reason: string) =>
  `event: end\nretry: 3600000\ndata: ${JSON.stringify({ reason })}\n\n`

/** What a client reads while an export goes from pending to done. */
export const SINGLE_STREAM_EXAMPLES = {
  done: {
    summary: 'Pending, then done, then the end',
    value: `retry: 3127\n${status('Qz2kq3N1sZbq1bqXn0q9y0', pending.value)}:\n${status('o9wkq3N1sZbq1bqXn0q9y0', done.value)}${end('done')}`,
  },
}

/** The same for several exports on one connection. */
export const MANY_STREAM_EXAMPLES = {
  done: {
    summary: 'One export, done',
    value: `retry: 3127\n${status('over.Qz2kq3N1sZbq1bqXn0q9y0', {
      campaignId: done.value.status.campaignId,
      exportId: done.value.status.id,
      body: done.value,
    })}${end('complete')}`,
  },
}

/** The same for a campaign. */
export const CAMPAIGN_STREAM_EXAMPLES = {
  done: {
    summary: 'One export, done',
    value: `retry: 3127\n${status('c.Qz2kq', {
      campaignId: done.value.status.campaignId,
      exportId: done.value.status.id,
      body: done.value,
    })}`,
  },
}
