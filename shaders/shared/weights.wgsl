// This thread's rows of W, in registers unless they are streamed.
#if not WIDE
var w = array<array<f32, M>, R>();
#for r in range(R)
#for j in range(M)
w[$r$][$j$] = theta[base + W_AT + i_$r$ * M + $j$];
#endfor
#endfor
#endif
