// What a thread of forward.wgsl and adjoint.wgsl works on: its place in its team, the team's quad, its rows.
let lane = lid % TEAM;
let team = lid / TEAM;
let unit = linear_workgroup(group, groups) * TEAMS + team;
let e = min(unit / GROUPS, arrayLength(&members) - 1);
let running = unit < arrayLength(&members) * GROUPS && takes_part(status[e]);
let member = members[e];
let base = e * N_PARAMS;
let quad = e * Q + unit % GROUPS;
let x_step = (params.T + 1) * N;
let z_step = (params.T + 1) * M;
let s_step = (params.T + 1) * K;
let linear_units = M - member.P;

// Row numbers; the surplus threads of a team repeat the last row and write nothing.
#if WIDE
// Of the rows of this thread, the weights are one vec4.
let own = e * COPIES / 4 + lane;
let A = copies[own + 2 * M * QUARTER];
#endif
#for r in range(R)
let row_$r$ = lane + $r$ * TEAM;
let i_$r$ = min(row_$r$, M - 1);
#if WIDE
let A_$r$ = A[$r$];
#else
let A_$r$ = theta[base + i_$r$];
#endif
#endfor
