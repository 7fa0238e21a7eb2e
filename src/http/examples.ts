/** Examples of lemlist's own documentation, as the OpenAPI document shows them. */
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
