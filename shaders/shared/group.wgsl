// Which V quads of which member a workgroup of the almost-linear form's passes has, in the body of their kernels; ends those of
// members that have no part in this.
let unit = linear_workgroup(group, groups);
let e = min(unit / GROUPS, arrayLength(&members) - 1);
if unit >= arrayLength(&members) * GROUPS || !takes_part(status[e]) {
    return;
}
let member = members[e];
let base = e * POWERS;
let quad = e * Q + (unit % GROUPS) * V;
let x_step = (params.T + 1) * N;
