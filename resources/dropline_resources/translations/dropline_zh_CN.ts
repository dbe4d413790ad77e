<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="zh_CN" sourcelanguage="en">
<context>
    <name>AboutDialog</name>
    <message>
        <source>About Dropline</source>
        <extracomment>What `make dist` writes beside the bundled program. The longest licence that stands in a line; longer ones are whole texts.</extracomment>
        <translation>关于 Dropline</translation>
    </message>
    <message>
        <source>Drop files in, watch the line, tune it. Free software, MIT licence.</source>
        <translation>拖入文件，观察队列，随手调优。自由软件，MIT 许可证。</translation>
    </message>
    <message>
        <source>Data</source>
        <translation>数据</translation>
    </message>
    <message>
        <source>Logs and crash reports</source>
        <translation>日志和崩溃报告</translation>
    </message>
    <message>
        <source>&amp;Licences of what is in it</source>
        <translation>所含软件的许可证(&amp;L)</translation>
    </message>
</context>
<context>
    <name>AdviceCard</name>
    <message>
        <source>Nothing to go by yet: drop some files.</source>
        <extracomment>The colour of each verdict; the words tell it too. Milliseconds for which the advice stays as it is under the pointer.</extracomment>
        <translation>还没有依据：请先拖入一些文件。</translation>
    </message>
    <message numerus="yes">
        <source>In use: %Ln worker(s)</source>
        <translation>
            <numerusform>正在使用：%Ln 个工作线程</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>&amp;Apply: %Ln worker(s)</source>
        <translation>
            <numerusform>采用：%Ln 个工作线程(&amp;A)</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>With %Ln worker(s): all sent in {0} ({1}).</source>
        <translation>
            <numerusform>用 %Ln 个工作线程：{0} 后全部发送完（{1}）。</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>With %Ln worker(s): {0} ({1}).</source>
        <translation>
            <numerusform>用 %Ln 个工作线程：{0}（{1}）。</numerusform>
        </translation>
    </message>
    <message>
        <source>Advice</source>
        <translation>建议</translation>
    </message>
    <message>
        <source>the advice</source>
        <translation>建议</translation>
    </message>
    <message>
        <source>&lt;p&gt;The fewest workers that reach your goal, computed from how often files come (λ), how long one takes (1/μ), and how much workers get in each other&apos;s way. It says beside it whether the computation holds now.&lt;/p&gt;</source>
        <translation>&lt;p&gt;达到你目标所需的最少工作线程数，由文件到来的快慢（λ）、每个文件所需的时间（1/μ）以及工作线程之间的相互妨碍算出。旁边会说明这一计算现在是否成立。&lt;/p&gt;</translation>
    </message>
</context>
<context>
    <name>Application</name>
    <message>
        <source>The sample files can&apos;t be made: {}. Free some room, or drop files of your own.</source>
        <extracomment>Everything is closed; nothing of it runs any more. Where the history of the line is read. A sentence for the user, from whatever thread. The ledger&apos;s records and its accuracy. What the line watches, and which files in it wait to be at rest. Whether Dropline starts at login, after an attempt to change that. Whether the program is to start anew once it has ended. There once somebody has asked for it.</extracomment>
        <translation>无法创建示例文件：{}。请腾出空间，或拖入您自己的文件。</translation>
    </message>
    <message>
        <source>Dropline can&apos;t be set to start at login, or not to: {}. See that your folder of settings can be written to.</source>
        <translation>无法更改 Dropline 是否在登录时启动：{}。请确认您的设置文件夹可以写入。</translation>
    </message>
    <message>
        <source>From the next start on files go to {}. What waits now goes on when its target is chosen again.</source>
        <translation>下次启动后，文件将发送到 {}。现在等待的文件会在再次选择其目标时继续发送。</translation>
    </message>
    <message>
        <source>the receiver in this window</source>
        <translation>本窗口的接收端</translation>
    </message>
    <message>
        <source>Restart now</source>
        <translation>立即重启</translation>
    </message>
    <message>
        <source>Dropline crashed the last time. What was in the line goes on; please report it with the details.</source>
        <translation>Dropline 上次崩溃了。队列中的文件会继续发送；请附上详细信息报告此问题。</translation>
    </message>
</context>
<context>
    <name>AutopilotBox</name>
    <message>
        <source>Auto&amp;pilot: follow the advice</source>
        <extracomment>Moves that are shown; all are in the event log. The fewest and the most workers at first.</extracomment>
        <translation>自动调优：按建议调整(&amp;P)</translation>
    </message>
    <message>
        <source>between</source>
        <comment>and so many workers</comment>
        <translation>介于</translation>
    </message>
    <message>
        <source>and</source>
        <comment>between so many workers</comment>
        <translation>与</translation>
    </message>
    <message>
        <source>workers</source>
        <comment>between so many and so many</comment>
        <translation>个工作线程之间</translation>
    </message>
    <message>
        <source>Fewest workers of the autopilot</source>
        <translation>自动调优的最少工作线程数</translation>
    </message>
    <message>
        <source>Most workers of the autopilot</source>
        <translation>自动调优的最多工作线程数</translation>
    </message>
    <message>
        <source>the autopilot</source>
        <translation>自动调优</translation>
    </message>
    <message>
        <source>&lt;p&gt;It sets the number of workers to the advice, not too often and only within your bounds, and tells each move with its reason. Change the workers yourself, and it is off at once.&lt;/p&gt;</source>
        <translation>&lt;p&gt;它按建议设定工作线程数，不会过于频繁，也只在你给定的范围内，并说明每次调整的理由。你一旦自己改动工作线程数，它立即关闭。&lt;/p&gt;</translation>
    </message>
</context>
<context>
    <name>Banner</name>
    <message>
        <source>Simulated load – no files are sent</source>
        <translation>模拟负载 – 不发送任何文件</translation>
    </message>
    <message>
        <source>Stop the simulation</source>
        <translation>停止模拟</translation>
    </message>
    <message>
        <source>It took {0}. {1}</source>
        <translation>用时 {0}。{1}</translation>
    </message>
</context>
<context>
    <name>Charts</name>
    <message>
        <source>now</source>
        <extracomment>Distances between time ticks in seconds. Distances between value ticks within a decade. Ticks of a value axis, and the heights from which on there are so many, in lines of text. How far labels may stand out over the ends of an axis, in pixels: the plot leaves this room.</extracomment>
        <translation>现在</translation>
    </message>
    <message>
        <source>Rates</source>
        <translation>速率</translation>
    </message>
    <message>
        <source>files a second</source>
        <translation>文件/秒</translation>
    </message>
    <message>
        <source>Drop files: arrivals and completions a second appear here.</source>
        <translation>拖入文件后，这里显示每秒到达和完成的文件数。</translation>
    </message>
    <message>
        <source>Queue</source>
        <translation>队列</translation>
    </message>
    <message>
        <source>files</source>
        <translation>文件数</translation>
    </message>
    <message>
        <source>How many files are in the line, and how many of them wait.</source>
        <translation>系统中有多少文件，其中多少在等待。</translation>
    </message>
    <message>
        <source>Response time</source>
        <translation>响应时间</translation>
    </message>
    <message>
        <source>How long a file takes from drop to done.</source>
        <translation>一个文件从拖入到完成所用的时间。</translation>
    </message>
    <message>
        <source>Utilisation</source>
        <translation>利用率</translation>
    </message>
    <message>
        <source>How busy the workers are.</source>
        <translation>工作线程有多忙。</translation>
    </message>
    <message>
        <source>Workers</source>
        <translation>工作线程</translation>
    </message>
    <message>
        <source>How many workers there are, and how many are busy.</source>
        <translation>有多少工作线程，其中多少在忙。</translation>
    </message>
    <message>
        <source>Save the charts</source>
        <translation>保存图表</translation>
    </message>
    <message>
        <source>target down</source>
        <translation>目标中断</translation>
    </message>
    <message>
        <source>target up</source>
        <translation>目标恢复</translation>
    </message>
    <message>
        <source>network down</source>
        <translation>断网</translation>
    </message>
    <message>
        <source>network up</source>
        <translation>联网</translation>
    </message>
    <message>
        <source>paused</source>
        <translation>已暂停</translation>
    </message>
    <message>
        <source>resumed</source>
        <translation>已继续</translation>
    </message>
    <message>
        <source>history</source>
        <extracomment>Drawings wait until the window&apos;s thread has worked no more than this share of the time since the last: on a slow machine the rest is for who sends. Is told log entries: `lanes.painter.observe`.</extracomment>
        <translation>历史</translation>
    </message>
    <message>
        <source>Live charts</source>
        <translation>实时图表</translation>
    </message>
    <message>
        <source>log</source>
        <translation>对数</translation>
    </message>
    <message>
        <source>Logarithmic scale: short and long times side by side.</source>
        <translation>对数刻度：长短时间都看得清。</translation>
    </message>
    <message>
        <source>goal</source>
        <translation>目标</translation>
    </message>
    <message>
        <source>A line for the response time you want. Drag it.</source>
        <translation>一条线，表示期望的响应时间；可以拖动。</translation>
    </message>
    <message>
        <source>{time}, {ago} ago</source>
        <translation>{time}，{ago}前</translation>
    </message>
    <message>
        <source>frozen at {}</source>
        <translation>冻结于 {}</translation>
    </message>
    <message>
        <source>live</source>
        <translation>实时</translation>
    </message>
    <message>
        <source>Who sends what</source>
        <translation>谁在发送什么</translation>
    </message>
    <message>
        <source>A lane for each worker: what it sends, and when.</source>
        <translation>每个工作线程一条泳道：它在何时发送什么。</translation>
    </message>
    <message>
        <source>sends one file</source>
        <extracomment>The colour of each look, by its name in the theme, and what it stands for.</extracomment>
        <translation>发送一个文件</translation>
    </message>
    <message>
        <source>sends several in one request</source>
        <translation>一次请求发送多个</translation>
    </message>
    <message>
        <source>line below: these files waited</source>
        <translation>下方细线：这些文件在等待</translation>
    </message>
    <message>
        <source>half high: tried again later</source>
        <translation>半高：稍后重试</translation>
    </message>
    <message>
        <source>full height: failed for good</source>
        <translation>全高：最终失败</translation>
    </message>
    <message>
        <source>cancelled</source>
        <translation>已取消</translation>
    </message>
</context>
<context>
    <name>Chooser</name>
    <message>
        <source>Add files</source>
        <extracomment>A folder to watch. Where the next dialog opens; follows what was chosen.</extracomment>
        <translation>添加文件</translation>
    </message>
    <message>
        <source>Add a folder</source>
        <translation>添加文件夹</translation>
    </message>
    <message>
        <source>Watch a folder</source>
        <translation>监视文件夹</translation>
    </message>
</context>
<context>
    <name>Command</name>
    <message>
        <source>&amp;File</source>
        <translation>文件(&amp;F)</translation>
    </message>
    <message>
        <source>&amp;Transfers</source>
        <translation>传输(&amp;T)</translation>
    </message>
    <message>
        <source>&amp;View</source>
        <translation>视图(&amp;V)</translation>
    </message>
    <message>
        <source>&amp;Help</source>
        <translation>帮助(&amp;H)</translation>
    </message>
    <message>
        <source>Add &amp;files…</source>
        <extracomment>Begins a new group in its menu. Can be on or off; `run` is then called with that.</extracomment>
        <translation>添加文件(&amp;F)…</translation>
    </message>
    <message>
        <source>Choose files to send</source>
        <translation>选择要发送的文件</translation>
    </message>
    <message>
        <source>Add f&amp;older…</source>
        <translation>添加文件夹(&amp;O)…</translation>
    </message>
    <message>
        <source>Choose a folder to send with all that is in it</source>
        <translation>选择一个文件夹，连同其中的全部内容一起发送</translation>
    </message>
    <message>
        <source>&amp;Paste</source>
        <translation>粘贴(&amp;P)</translation>
    </message>
    <message>
        <source>Send the files, or the paths as text, that you copied</source>
        <translation>发送已复制的文件，或以文本形式复制的路径</translation>
    </message>
    <message>
        <source>Send &amp;to…</source>
        <translation>发送到(&amp;T)…</translation>
    </message>
    <message>
        <source>Choose where files go, keep several targets, and test whether they take files</source>
        <translation>选择文件发往何处，保存多个目标端，并测试能否接收文件</translation>
    </message>
    <message>
        <source>&amp;Watch a folder…</source>
        <translation>监视文件夹(&amp;W)…</translation>
    </message>
    <message>
        <source>Send what is in a folder, and whatever comes</source>
        <translation>发送文件夹中现有的和以后新增的文件</translation>
    </message>
    <message>
        <source>Watche&amp;d folders…</source>
        <translation>已监视的文件夹(&amp;D)…</translation>
    </message>
    <message>
        <source>See how the watched folders do, and stop watching</source>
        <translation>查看所监视文件夹的状态，或停止监视</translation>
    </message>
    <message>
        <source>Open &amp;recorded log…</source>
        <translation>打开记录的日志(&amp;R)…</translation>
    </message>
    <message>
        <source>See what a recorded log tells, and compare it with others</source>
        <translation>查看记录的日志，并与其他日志比较</translation>
    </message>
    <message>
        <source>&amp;History…</source>
        <translation>历史(&amp;H)…</translation>
    </message>
    <message>
        <source>See what the line did in the last 30 days</source>
        <translation>查看最近 30 天的运行情况</translation>
    </message>
    <message>
        <source>&amp;Settings…</source>
        <translation>设置(&amp;S)…</translation>
    </message>
    <message>
        <source>Everything that can be set, found by its name</source>
        <translation>所有可设置的内容，按名称查找</translation>
    </message>
    <message>
        <source>Start at &amp;login</source>
        <translation>登录时启动(&amp;L)</translation>
    </message>
    <message>
        <source>Open Dropline each time that you log in</source>
        <translation>每次登录时打开 Dropline</translation>
    </message>
    <message>
        <source>&amp;Quit</source>
        <translation>退出(&amp;Q)</translation>
    </message>
    <message>
        <source>&amp;Retry failed</source>
        <translation>重试失败项(&amp;R)</translation>
    </message>
    <message>
        <source>Send every failed file again</source>
        <translation>重新发送所有失败的文件</translation>
    </message>
    <message>
        <source>&amp;Cancel all</source>
        <translation>全部取消(&amp;C)</translation>
    </message>
    <message>
        <source>Take every file that is not sent yet out of the line</source>
        <translation>将所有尚未发送的文件移出队列</translation>
    </message>
    <message>
        <source>&amp;Stop scanning</source>
        <translation>停止扫描(&amp;S)</translation>
    </message>
    <message>
        <source>Find no more files; those already found stay in the line</source>
        <translation>不再查找文件；已找到的文件仍留在队列中</translation>
    </message>
    <message>
        <source>Record the &amp;log</source>
        <translation>记录日志(&amp;L)</translation>
    </message>
    <message>
        <source>Write down each arrival, start and end for dropline measure</source>
        <translation>记下每次到达、开始和结束，供 dropline measure 使用</translation>
    </message>
    <message>
        <source>Si&amp;mulate load…</source>
        <translation>模拟负载(&amp;M)…</translation>
    </message>
    <message>
        <source>Watch a line under a load that is made up, and tune it</source>
        <translation>观察虚构负载下的系统，并加以调优</translation>
    </message>
    <message>
        <source>&amp;Find a command…</source>
        <translation>查找命令(&amp;F)…</translation>
    </message>
    <message>
        <source>Everything that can be done now, found by its name</source>
        <translation>按名称查找当前可用的所有操作</translation>
    </message>
    <message>
        <source>&amp;Welcome…</source>
        <translation>欢迎(&amp;W)…</translation>
    </message>
    <message>
        <source>How the line works, and ways to try it</source>
        <translation>队列如何运作，以及几种试用方式</translation>
    </message>
    <message>
        <source>&amp;About Dropline</source>
        <translation>关于 Dropline(&amp;A)</translation>
    </message>
</context>
<context>
    <name>Comparison</name>
    <message>
        <source>arrivals</source>
        <extracomment>Figures with a definition of their own; after them, those whose name says it all.</extracomment>
        <translation>到达</translation>
    </message>
    <message>
        <source>finished</source>
        <translation>完成</translation>
    </message>
    <message>
        <source>failed</source>
        <translation>失败</translation>
    </message>
    <message>
        <source>retried</source>
        <translation>重试</translation>
    </message>
    <message>
        <source>cancelled</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Figures of this span and of the one kept</source>
        <translation>本时段与所保留时段的指标</translation>
    </message>
    <message>
        <source>Figure</source>
        <translation>指标</translation>
    </message>
    <message>
        <source>Kept</source>
        <translation>保留的</translation>
    </message>
    <message>
        <source>This</source>
        <translation>本时段</translation>
    </message>
    <message>
        <source>Change</source>
        <translation>变化</translation>
    </message>
</context>
<context>
    <name>Core</name>
    <message>
        <source>%1 Gave up after %2 attempts.</source>
        <translation>%1尝试 %2 次后放弃。</translation>
    </message>
    <message>
        <source>%1 Gave up after %2 s.</source>
        <translation>%1%2 秒后放弃。</translation>
    </message>
    <message>
        <source>%1 It is sent anew.</source>
        <translation>%1将重新发送。</translation>
    </message>
    <message>
        <source>%1 Until then nothing is remembered when the program ends.</source>
        <translation>%1在此之前，程序结束后什么都不会保留。</translation>
    </message>
    <message>
        <source>%1 and its key cannot be used: give a certificate and its key in PEM format, the key without a passphrase</source>
        <translation>%1 及其密钥无法使用：请提供 PEM 格式的证书及其密钥，密钥不带密码</translation>
    </message>
    <message>
        <source>%1 answered %2 %3, not as a Dropline receiver does: check the address.</source>
        <translation>%1 答复 %2 %3，与 Dropline 接收端不同：请检查地址。</translation>
    </message>
    <message>
        <source>%1 answered %2 (%3): %4</source>
        <translation>%1 答复 %2（%3）：%4</translation>
    </message>
    <message>
        <source>%1 answered %2 but not as a Dropline receiver does: check the address.</source>
        <translation>%1 答复 %2，但与 Dropline 接收端不同：请检查地址。</translation>
    </message>
    <message>
        <source>%1 answered %2 instead of forgetting a wrong copy.</source>
        <translation>%1 答复 %2，没有清除错误的副本。</translation>
    </message>
    <message>
        <source>%1 answered %2, but not as a tus server does: check the address.</source>
        <translation>%1 答复 %2，但与 tus 服务器不同：请检查地址。</translation>
    </message>
    <message>
        <source>%1 answered %2: %3</source>
        <translation>%1 答复 %2：%3</translation>
    </message>
    <message>
        <source>%1 answered for another file than was sent.</source>
        <translation>%1 答复的不是所发送的那个文件。</translation>
    </message>
    <message>
        <source>%1 answered, but not as an S3 store does (no %2): check the address.</source>
        <translation>%1 有答复，但与 S3 存储不同（缺少 %2）：请检查地址。</translation>
    </message>
    <message>
        <source>%1 answers again</source>
        <translation>%1 恢复答复</translation>
    </message>
    <message>
        <source>%1 broke off the secure connection: is the %2 running, and does it want a client certificate?</source>
        <translation>%1 中断了安全连接：%2是否在运行，是否要求客户端证书？</translation>
    </message>
    <message>
        <source>%1 can&apos;t be read: %2</source>
        <translation>%1 无法读取：%2</translation>
    </message>
    <message>
        <source>%1 can&apos;t change its size: %2</source>
        <translation>%1 无法改变规模：%2</translation>
    </message>
    <message>
        <source>%1 cannot be reached or broke off: is the %2 running?</source>
        <translation>%1 无法连接或中途断开：%2是否在运行？</translation>
    </message>
    <message>
        <source>%1 cannot be reached through the proxy: is the proxy&apos;s address right?</source>
        <translation>无法通过代理连接 %1：代理的地址是否正确？</translation>
    </message>
    <message>
        <source>%1 cannot be used: %2</source>
        <translation>%1 无法使用：%2</translation>
    </message>
    <message>
        <source>%1 did not answer in time: is it overloaded or gone?</source>
        <translation>%1 未及时答复：是否过载或已下线？</translation>
    </message>
    <message>
        <source>%1 did not say how much of “%2” it has.</source>
        <translation>%1 没有说明它已有“%2”的多少。</translation>
    </message>
    <message>
        <source>%1 did not say what became of “%2”.</source>
        <translation>%1 没有说明“%2”的结果。</translation>
    </message>
    <message>
        <source>%1 did not take all of “%2”.</source>
        <translation>%1 没有收下“%2”的全部内容。</translation>
    </message>
    <message>
        <source>%1 did not take all that was sent.</source>
        <translation>%1 没有收下所发送的全部内容。</translation>
    </message>
    <message>
        <source>%1 does not answer</source>
        <translation>%1 没有答复</translation>
    </message>
    <message>
        <source>%1 does not answer: it hangs, was killed, or is cut off; restart it, or check its network. What it had comes to others once the broker gives it up: RabbitMQ when its connection ends, Redis after the visibility timeout</source>
        <translation>%1 没有答复：已挂起、被终止或连接中断；请重新启动它，或检查其网络。消息代理收回之后，它手上的任务会交给其他工作进程：RabbitMQ 在其连接结束时收回，Redis 在可见性超时之后收回</translation>
    </message>
    <message>
        <source>%1 does not run any more</source>
        <translation>%1 已不再运行</translation>
    </message>
    <message>
        <source>%1 does not take %2; it takes %3.</source>
        <translation>%1 不接受 %2；可用的是 %3。</translation>
    </message>
    <message>
        <source>%1 got other bytes than were sent: checksums differ.</source>
        <translation>%1 收到的字节与发送的不同：校验和不一致。</translation>
    </message>
    <message>
        <source>%1 had come before the watch began</source>
        <translation>%1在观察开始之前就已到达</translation>
    </message>
    <message>
        <source>%1 has another part of the file than was thought.</source>
        <translation>%1 上的文件部分与预想的不同。</translation>
    </message>
    <message>
        <source>%1 has no address</source>
        <translation>%1 没有对应的地址</translation>
    </message>
    <message>
        <source>%1 has no certificate that this machine trusts (%2): check the address, or name the file of the authority that signed it.</source>
        <translation>%1 没有本机信任的证书（%2）：请检查地址，或指定签发机构的证书文件。</translation>
    </message>
    <message>
        <source>%1 has run for %2 s at %3, where the last %4 took %5 s at most: see what it waits for, or set task_time_limit</source>
        <translation>%1 已在 %3 运行 %2 秒，而那里最近 %4 个任务最多只用 %5 秒：请查看它在等待什么，或设置 task_time_limit</translation>
    </message>
    <message>
        <source>%1 holds %2 bytes instead of the %3 sent.</source>
        <translation>%1 存有 %2 字节，而不是发送的 %3 字节。</translation>
    </message>
    <message>
        <source>%1 holds no certificates in PEM format</source>
        <translation>%1 不含 PEM 格式的证书</translation>
    </message>
    <message>
        <source>%1 holds other bytes than were sent (%2 bytes, SHA-256 %3… instead of %4 bytes, %5…).</source>
        <translation>%1 存有的字节与发送的不同（%2 字节，SHA-256 %3…，而不是 %4 字节，%5…）。</translation>
    </message>
    <message>
        <source>%1 holds other bytes than were sent as “%2”.</source>
        <translation>%1 存有的字节与作为“%2”发送的不同。</translation>
    </message>
    <message>
        <source>%1 holds other bytes than were sent: the digests differ.</source>
        <translation>%1 存有的字节与发送的不同：摘要不一致。</translation>
    </message>
    <message>
        <source>%1 is a key without its certificate: give both</source>
        <translation>%1 是没有证书的密钥：请两者都提供</translation>
    </message>
    <message>
        <source>%1 is gone: “%2” is sent anew.</source>
        <translation>%1 已不存在：将重新发送“%2”。</translation>
    </message>
    <message>
        <source>%1 is larger than the %2 bytes that this receiver takes. Send a smaller file, or have its limit raised.</source>
        <translation>%1 超过此接收端接受的 %2 字节。请发送更小的文件，或请对方提高上限。</translation>
    </message>
    <message>
        <source>%1 is no file: name one in PEM format</source>
        <translation>%1 不是文件：请指定 PEM 格式的文件</translation>
    </message>
    <message>
        <source>%1 is no path: drop the file itself.</source>
        <translation>%1 不是路径：请拖入文件本身。</translation>
    </message>
    <message>
        <source>%1 is not a folder: move what is there out of the way.</source>
        <translation>%1 不是文件夹：请移走那里的东西。</translation>
    </message>
    <message>
        <source>%1 is not there and cannot be made: make the folder above it first, or check the address.</source>
        <translation>%1 不存在，也无法创建：请先创建上一级文件夹，或检查地址。</translation>
    </message>
    <message>
        <source>%1 keeps up with the others again</source>
        <translation>%1 又跟得上其他工作进程了</translation>
    </message>
    <message>
        <source>%1 must be a number of bytes; it was %2.</source>
        <translation>%1 必须是字节数；收到的是 %2。</translation>
    </message>
    <message>
        <source>%1 must be the id of the last event; it was %2.</source>
        <translation>%1 必须是上一个事件的 id；收到的是 %2。</translation>
    </message>
    <message>
        <source>%1 needs %2: install it by pip install &apos;dropline[%3]&apos;</source>
        <translation>%1 需要 %2：请用 pip install &apos;dropline[%3]&apos; 安装</translation>
    </message>
    <message>
        <source>%1 refused the secure connection (%2): give a client certificate, and its key, that it trusts.</source>
        <translation>%1 拒绝了安全连接（%2）：请提供它信任的客户端证书及其密钥。</translation>
    </message>
    <message>
        <source>%1 speaks another version of tus than 1.0.0: choose another target.</source>
        <translation>%1 使用的 tus 版本不是 1.0.0：请选择其他目标端。</translation>
    </message>
    <message>
        <source>%1 speaks no TLS that this machine understands: %2</source>
        <translation>%1 不使用本机支持的 TLS：%2</translation>
    </message>
    <message>
        <source>%1 stays up</source>
        <translation>%1 保持运行</translation>
    </message>
    <message>
        <source>%1 takes %2 s for a task, the others %3 s: see what else its host does, or give it fewer tasks at once</source>
        <translation>%1 完成一个任务用 %2 秒，其他工作进程用 %3 秒：请查看其主机还在做什么，或减少它同时处理的任务</translation>
    </message>
    <message>
        <source>%1 takes no consumer of events: see the broker&apos;s log</source>
        <translation>%1 不接受事件的消费者：请查看消息代理的日志</translation>
    </message>
    <message>
        <source>%1 tasks</source>
        <translation>%1 个任务</translation>
    </message>
    <message>
        <source>%1 took only a part of “%2”.</source>
        <translation>%1 只收下了“%2”的一部分。</translation>
    </message>
    <message>
        <source>%1 took the file, but does not have it.</source>
        <translation>%1 收下了文件，却没有存有它。</translation>
    </message>
    <message>
        <source>%1 uploads run, which is all that this receiver takes at once. Send it again in a moment.</source>
        <translation>正在进行 %1 个上传，已达此接收端同时接受的上限。请稍后再次发送。</translation>
    </message>
    <message>
        <source>%1 vanished: purged, expired or lost</source>
        <translation>%1消失了：被清除、已过期或丢失</translation>
    </message>
    <message>
        <source>%1 wants the file at another server, %2: check that, and use that one&apos;s address.</source>
        <translation>%1 要求把文件发往另一台服务器 %2：请核实，并使用那台服务器的地址。</translation>
    </message>
    <message>
        <source>%1 was begun %2 times and never done, the last time at %3: it fails, or kills its worker; see the worker&apos;s log, and revoke it, or give its queue an x-delivery-limit and a dead-letter exchange</source>
        <translation>%1 开始了 %2 次却从未完成，最后一次在 %3：它会失败，或使工作进程终止；请查看工作进程的日志，并撤销该任务，或为其队列设置 x-delivery-limit 和死信交换器</translation>
    </message>
    <message>
        <source>%1 was not read to its end</source>
        <translation>%1 没有读到末尾</translation>
    </message>
    <message>
        <source>%1 was not stored; the receiver&apos;s log says why. Send it again.</source>
        <translation>%1 未能存储；原因见接收端的日志。请再次发送。</translation>
    </message>
    <message>
        <source>%1 was started anew %2 times within %3 minutes: see its log; a task that kills it comes again and again, unless its queue has an x-delivery-limit and a dead-letter exchange</source>
        <translation>%1 在 %3 分钟内重新启动了 %2 次：请查看其日志；使它终止的任务会一再重来，除非其队列设有 x-delivery-limit 和死信交换器</translation>
    </message>
    <message>
        <source>%1 workers: a job needs at least one to be served</source>
        <translation>%1 个工作线程：至少需要一个才能处理任务</translation>
    </message>
    <message>
        <source>%1 workers: choose 0 to %2</source>
        <translation>%1 个工作线程：请选择 0 到 %2</translation>
    </message>
    <message>
        <source>%1 workers: this fleet has %2 at least, one a process; stop a process to have fewer</source>
        <translation>%1 个工作进程：此集群至少有 %2 个，每个进程一个；要减少，请停止一个进程</translation>
    </message>
    <message>
        <source>%1, begun again and again, is done or given up</source>
        <translation>%1 曾一再开始，现已完成或放弃</translation>
    </message>
    <message>
        <source>%1, line %2: %3</source>
        <translation>%1 第 %2 行：%3</translation>
    </message>
    <message>
        <source>%1, line %2: cut short, so it is left out.</source>
        <translation>%1 第 %2 行：不完整，已略过。</translation>
    </message>
    <message>
        <source>%1. Send at most %2 parts in one request and names of at most 4,096 bytes.</source>
        <translation>%1。一个请求最多发送 %2 个部分，名称最多 4,096 字节。</translation>
    </message>
    <message>
        <source>%1: check the URL, and that the broker runs</source>
        <translation>%1：请检查 URL，并确认消息代理在运行</translation>
    </message>
    <message>
        <source>%1: its pool can&apos;t change its size</source>
        <translation>%1：其进程池无法改变规模</translation>
    </message>
    <message>
        <source>/tus/%1 is no whole upload of the kind `partial`. Send the rest of it first.</source>
        <translation>/tus/%1 不是 `partial` 类型的完整上传。请先发送其余部分。</translation>
    </message>
    <message>
        <source>1 task</source>
        <translation>1 个任务</translation>
    </message>
    <message>
        <source>A part named `file` has no file name. With curl: curl -F file=@PATH</source>
        <translation>名为 `file` 的部分没有文件名。用 curl 时：curl -F file=@PATH</translation>
    </message>
    <message>
        <source>A part&apos;s Content-Disposition is malformed: %1.</source>
        <translation>某一部分的 Content-Disposition 格式错误：%1。</translation>
    </message>
    <message>
        <source>A token is needed</source>
        <translation>需要令牌</translation>
    </message>
    <message>
        <source>Address already in use</source>
        <translation>地址已被占用</translation>
    </message>
    <message>
        <source>An error inside Dropline (%1): please report it.</source>
        <translation>Dropline 内部出错（%1）：请报告此问题。</translation>
    </message>
    <message>
        <source>Another Content-Type is needed</source>
        <translation>需要另一种 Content-Type</translation>
    </message>
    <message>
        <source>Another program holds the receiver&apos;s database, so %1 was not stored. Send it again shortly.</source>
        <translation>另一个程序占用着接收端的数据库，因此 %1 未能存储。请稍后再次发送。</translation>
    </message>
    <message>
        <source>Another receiver uses %1. Stop it, or give another folder with --data.</source>
        <translation>另一个接收端正在使用 %1。请停止它，或用 --data 指定其他文件夹。</translation>
    </message>
    <message>
        <source>Another request goes on with this upload; let that one end.</source>
        <translation>另一个请求正在继续此上传；请让它完成。</translation>
    </message>
    <message>
        <source>Another request has the upload</source>
        <translation>另一个请求正占用此上传</translation>
    </message>
    <message>
        <source>Another request is busy with this upload. Ask again in a moment.</source>
        <translation>另一个请求正在处理此上传。请稍后再试。</translation>
    </message>
    <message>
        <source>Another version of tus is needed</source>
        <translation>需要另一个版本的 tus</translation>
    </message>
    <message>
        <source>Busy workers have prefetched %1 tasks and %2 others are idle: set worker_prefetch_multiplier = 1, and task_acks_late = True</source>
        <translation>忙碌的工作进程预取了 %1 个任务，而另有 %2 个空闲：请设置 worker_prefetch_multiplier = 1 和 task_acks_late = True</translation>
    </message>
    <message>
        <source>Connection refused</source>
        <translation>连接被拒绝</translation>
    </message>
    <message>
        <source>Connection reset by peer</source>
        <translation>连接被对方重置</translation>
    </message>
    <message>
        <source>Connection timed out</source>
        <translation>连接超时</translation>
    </message>
    <message>
        <source>Device or resource busy</source>
        <translation>设备或资源正忙</translation>
    </message>
    <message>
        <source>Disk quota exceeded</source>
        <translation>超出磁盘配额</translation>
    </message>
    <message>
        <source>File exists</source>
        <translation>文件已存在</translation>
    </message>
    <message>
        <source>File name too long</source>
        <translation>文件名过长</translation>
    </message>
    <message>
        <source>Free some space or choose another place, then record again.</source>
        <translation>请释放一些空间或选择其他位置，然后重新记录。</translation>
    </message>
    <message>
        <source>Input/output error</source>
        <translation>输入/输出错误</translation>
    </message>
    <message>
        <source>Is a directory</source>
        <translation>是文件夹</translation>
    </message>
    <message>
        <source>It is looked through every %1 seconds, since %2</source>
        <translation>每 %1 秒查看一遍，因为%2</translation>
    </message>
    <message>
        <source>Method not allowed</source>
        <translation>不允许的方法</translation>
    </message>
    <message>
        <source>Network is unreachable</source>
        <translation>网络不可达</translation>
    </message>
    <message>
        <source>No port of %1 is free. Close programs that listen, then try again.</source>
        <translation>%1 没有空闲端口。请关闭正在监听的程序，然后重试。</translation>
    </message>
    <message>
        <source>No prefetched task waits beside idle workers any more</source>
        <translation>不再有预取的任务在空闲的工作进程旁等待</translation>
    </message>
    <message>
        <source>No route to host</source>
        <translation>没有到主机的路由</translation>
    </message>
    <message>
        <source>No space left on device</source>
        <translation>设备上没有剩余空间</translation>
    </message>
    <message>
        <source>No such file or directory</source>
        <translation>没有此文件或文件夹</translation>
    </message>
    <message>
        <source>Not a directory</source>
        <translation>不是文件夹</translation>
    </message>
    <message>
        <source>Not found</source>
        <translation>未找到</translation>
    </message>
    <message>
        <source>Nothing is at %1. Upload to /upload, see what is stored at /files.</source>
        <translation>%1 处没有内容。请上传到 /upload，已存储的内容见 /files。</translation>
    </message>
    <message>
        <source>Operation not permitted</source>
        <translation>不允许的操作</translation>
    </message>
    <message>
        <source>Operation timed out</source>
        <translation>操作超时</translation>
    </message>
    <message>
        <source>Others can reach the receiver on %1, so it needs a token: give one with --token, or listen on 127.0.0.1.</source>
        <translation>其他人可以通过 %1 访问接收端，因此需要令牌：请用 --token 指定，或改为监听 127.0.0.1。</translation>
    </message>
    <message>
        <source>Permission denied</source>
        <translation>权限不足</translation>
    </message>
    <message>
        <source>Port %1 is taken, so the receiver listens on port %2.</source>
        <translation>端口 %1 已被占用，因此接收端改为监听端口 %2。</translation>
    </message>
    <message>
        <source>Read-only file system</source>
        <translation>只读文件系统</translation>
    </message>
    <message>
        <source>Recording to %1 stopped: %2</source>
        <translation>到 %1 的记录已停止：%2</translation>
    </message>
    <message>
        <source>Recording to %1 stopped: %2. Free some space or choose another place, then record again.</source>
        <translation>到 %1 的记录已停止：%2。请释放一些空间或选择其他位置，然后重新记录。</translation>
    </message>
    <message>
        <source>S3 cannot be used as it is set up: %1</source>
        <translation>按当前设置无法使用 S3：%1</translation>
    </message>
    <message>
        <source>S3 needs boto3: install it by pip install &apos;dropline[s3]&apos;</source>
        <translation>S3 需要 boto3：请用 pip install &apos;dropline[s3]&apos; 安装</translation>
    </message>
    <message>
        <source>S3 takes no token and no headers: give the access key as user</source>
        <translation>S3 不使用令牌和标头：请将访问密钥填为用户</translation>
    </message>
    <message>
        <source>Send a boundary of at most 200 printable ASCII characters.</source>
        <translation>请发送至多 200 个可打印 ASCII 字符的 boundary。</translation>
    </message>
    <message>
        <source>Send an Upload-Offset: where the bytes belong.</source>
        <translation>请发送 Upload-Offset：这些字节的位置。</translation>
    </message>
    <message>
        <source>Send bytes along with the header Content-Type: %1.</source>
        <translation>请连同标头 Content-Type: %1 一起发送字节。</translation>
    </message>
    <message>
        <source>Send either Upload-Length or Upload-Defer-Length: 1.</source>
        <translation>请发送 Upload-Length 或 Upload-Defer-Length: 1，二者择一。</translation>
    </message>
    <message>
        <source>Send files in parts named `file`, and little else.</source>
        <translation>请以名为 `file` 的部分发送文件，此外尽量不发送其他内容。</translation>
    </message>
    <message>
        <source>Send multipart/form-data with a boundary, as `curl -F file=@PATH` does; the Content-Type was %1.</source>
        <translation>请像 `curl -F file=@PATH` 那样发送带 boundary 的 multipart/form-data；收到的 Content-Type 是 %1。</translation>
    </message>
    <message>
        <source>Send the bytes with the header Content-Type: %1.</source>
        <translation>请用标头 Content-Type: %1 发送字节。</translation>
    </message>
    <message>
        <source>Send the header Tus-Resumable: %1, the version that this receiver speaks.</source>
        <translation>请发送标头 Tus-Resumable: %1，即此接收端使用的版本。</translation>
    </message>
    <message>
        <source>Stale file handle</source>
        <translation>文件句柄已失效</translation>
    </message>
    <message>
        <source>Task %1</source>
        <translation>任务 %1</translation>
    </message>
    <message>
        <source>The %1 bytes of %2 that arrived do not have the SHA-256 in its Content-Digest. Send it again.</source>
        <translation>收到的 %2 的 %1 字节与其 Content-Digest 中的 SHA-256 不符。请再次发送。</translation>
    </message>
    <message>
        <source>The Content-Digest of %1 is malformed. Send sha-256=:BASE64: or leave it out.</source>
        <translation>%1 的 Content-Digest 格式错误。请发送 sha-256=:BASE64:，或将其省略。</translation>
    </message>
    <message>
        <source>The Content-Length is no whole number.</source>
        <translation>Content-Length 不是整数。</translation>
    </message>
    <message>
        <source>The Host %1 is not this receiver&apos;s: use http://127.0.0.1:%2.</source>
        <translation>主机 %1 不是此接收端的：请使用 http://127.0.0.1:%2。</translation>
    </message>
    <message>
        <source>The Idempotency-Key of %1 must be 1 to 255 printable ASCII characters.</source>
        <translation>%1 的 Idempotency-Key 必须是 1 到 255 个可打印 ASCII 字符。</translation>
    </message>
    <message>
        <source>The Upload-Length cannot be %1: %2 bytes have come.</source>
        <translation>Upload-Length 不能是 %1：已收到 %2 字节。</translation>
    </message>
    <message>
        <source>The Upload-Length was %1; it cannot change.</source>
        <translation>Upload-Length 原为 %1，不能更改。</translation>
    </message>
    <message>
        <source>The broker at %1 answers again</source>
        <translation>位于 %1 的消息代理恢复答复</translation>
    </message>
    <message>
        <source>The broker at %1 does not answer: check that it runs, and the network; what workers do meanwhile is not told</source>
        <translation>位于 %1 的消息代理没有答复：请确认它在运行，并检查网络；此间工作进程的情况无从得知</translation>
    </message>
    <message>
        <source>The bytes are not those that were announced</source>
        <translation>字节与所声明的不同</translation>
    </message>
    <message>
        <source>The bytes do not have their Upload-Checksum. Send them again.</source>
        <translation>字节与其 Upload-Checksum 不符。请再次发送。</translation>
    </message>
    <message>
        <source>The bytes do not have their checksum</source>
        <translation>字节与其校验和不符</translation>
    </message>
    <message>
        <source>The chunked body is malformed; nothing of it was stored.</source>
        <translation>分块的正文格式错误；其中没有内容被存储。</translation>
    </message>
    <message>
        <source>The connection broke. Send the request again.</source>
        <translation>连接中断。请再次发送请求。</translation>
    </message>
    <message>
        <source>The connection ended before the whole request had arrived.</source>
        <translation>整个请求到达之前连接就结束了。</translation>
    </message>
    <message>
        <source>The database %1 cannot be used (%2). Give one as sqlite:///PATH or postgresql://USER@HOST/NAME.</source>
        <translation>数据库 %1 无法使用（%2）。请以 sqlite:///PATH 或 postgresql://USER@HOST/NAME 的形式指定。</translation>
    </message>
    <message>
        <source>The database %1 could not be opened (%2). Check that it is there, whole and writable, or give another with --database.</source>
        <translation>无法打开数据库 %1（%2）。请确认它存在、完好且可写，或用 --database 指定其他数据库。</translation>
    </message>
    <message>
        <source>The database %1 needs the Python package %2. Install it; for PostgreSQL: pip install &apos;dropline[postgres]&apos;</source>
        <translation>数据库 %1 需要 Python 包 %2。请安装；PostgreSQL 用：pip install &apos;dropline[postgres]&apos;</translation>
    </message>
    <message>
        <source>The database %1 was written by a newer Dropline. Use that one, or give another database with --database.</source>
        <translation>数据库 %1 由更新版本的 Dropline 写成。请使用该版本，或用 --database 指定其他数据库。</translation>
    </message>
    <message>
        <source>The disk is full</source>
        <translation>磁盘已满</translation>
    </message>
    <message>
        <source>The disk of “%1” is not mounted any more: mount it again.</source>
        <translation>“%1”所在的磁盘已不再挂载：请重新挂载。</translation>
    </message>
    <message>
        <source>The history %1 cannot be used (%2): make room or make it writable, or set DROPLINE_HOME to another folder.</source>
        <translation>历史 %1 无法使用（%2）：请腾出空间或使其可写，或将 DROPLINE_HOME 设为其他文件夹。</translation>
    </message>
    <message>
        <source>The history %1 was written by a newer Dropline: update this one, or set DROPLINE_HOME to another folder.</source>
        <translation>历史 %1 由更新版本的 Dropline 写成：请更新本程序，或将 DROPLINE_HOME 设为其他文件夹。</translation>
    </message>
    <message>
        <source>The history was damaged (%1). It was set aside as %2, and a new one has begun: the charts no longer show what was before. What is sent does not depend on it.</source>
        <translation>历史已损坏（%1）。已移存为 %2，并开始了新的历史：图表不再显示以前的内容。发送不受影响。</translation>
    </message>
    <message>
        <source>The idempotency key belongs to other content</source>
        <translation>幂等键属于其他内容</translation>
    </message>
    <message>
        <source>The idempotency key of %1 was used before, for other content. Send it again with a new key.</source>
        <translation>%1 的幂等键曾用于其他内容。请用新的键再次发送。</translation>
    </message>
    <message>
        <source>The idempotency key stands for an upload of %1 bytes. Send this one with a new key.</source>
        <translation>此幂等键对应 %1 字节的上传。请用新的键发送。</translation>
    </message>
    <message>
        <source>The journal %1 cannot be used (%2): make room or make it writable, or set DROPLINE_HOME to another folder.</source>
        <translation>传输日志 %1 无法使用（%2）：请腾出空间或使其可写，或将 DROPLINE_HOME 设为其他文件夹。</translation>
    </message>
    <message>
        <source>The journal %1 was written by a newer Dropline: update this one, or set DROPLINE_HOME to another folder.</source>
        <translation>传输日志 %1 由更新版本的 Dropline 写成：请更新本程序，或将 DROPLINE_HOME 设为其他文件夹。</translation>
    </message>
    <message>
        <source>The journal cannot be written (%1): free some space in the data folder.</source>
        <translation>传输日志无法写入（%1）：请在数据文件夹中释放一些空间。</translation>
    </message>
    <message>
        <source>The journal was damaged (%1). It was set aside as %2, and %3 files that could be read of it were kept. Drop again what is missing; nothing is stored twice.</source>
        <translation>传输日志已损坏（%1）。已移存为 %2，其中可读的 %3 个文件得以保留。请重新拖入缺少的文件；不会重复存储。</translation>
    </message>
    <message>
        <source>The load ended early: a file cannot be made (%1).</source>
        <translation>负载提前结束：无法创建文件（%1）。</translation>
    </message>
    <message>
        <source>The multipart body is malformed: %1. Nothing of this request was stored; send it again, best with a library that builds the body.</source>
        <translation>multipart 正文格式错误：%1。此请求的内容均未存储；请再次发送，最好使用能构造正文的库。</translation>
    </message>
    <message>
        <source>The name %1 is longer than %2 characters. Shorten it.</source>
        <translation>名称 %1 超过 %2 个字符。请缩短。</translation>
    </message>
    <message>
        <source>The receiver cannot keep files in %1 (%2). Make it writable, or give another folder with --data.</source>
        <translation>接收端无法在 %1 中保存文件（%2）。请使其可写，或用 --data 指定其他文件夹。</translation>
    </message>
    <message>
        <source>The receiver cannot listen on %1 port %2 (%3). Choose another --host or --port.</source>
        <translation>接收端无法监听 %1 的端口 %2（%3）。请选择其他 --host 或 --port。</translation>
    </message>
    <message>
        <source>The receiver could not write</source>
        <translation>接收端无法写入</translation>
    </message>
    <message>
        <source>The receiver could not write (%1), so %2 was not stored. Check its disk and its database, then send it again.</source>
        <translation>接收端无法写入（%1），因此 %2 未能存储。请检查其磁盘和数据库，然后再次发送。</translation>
    </message>
    <message>
        <source>The receiver does not run, so nobody can be let in.</source>
        <translation>接收端没有运行，因此无法让他人访问。</translation>
    </message>
    <message>
        <source>The receiver failed</source>
        <translation>接收端出错</translation>
    </message>
    <message>
        <source>The receiver failed; its log says why. Try again.</source>
        <translation>接收端出错；原因见其日志。请重试。</translation>
    </message>
    <message>
        <source>The receiver is busy</source>
        <translation>接收端正忙</translation>
    </message>
    <message>
        <source>The receiver&apos;s database does not answer, so %1 was not stored. Send it again shortly.</source>
        <translation>接收端的数据库没有答复，因此 %1 未能存储。请稍后再次发送。</translation>
    </message>
    <message>
        <source>The receiver&apos;s database does not answer. Try again shortly.</source>
        <translation>接收端的数据库没有答复。请稍后重试。</translation>
    </message>
    <message>
        <source>The receiver&apos;s disk is full, so %1 was not stored. Free some space there and send it again.</source>
        <translation>接收端的磁盘已满，因此 %1 未能存储。请在那里释放一些空间，然后再次发送。</translation>
    </message>
    <message>
        <source>The request came too slowly</source>
        <translation>请求到达得太慢</translation>
    </message>
    <message>
        <source>The request came too slowly and was given up. Send it again.</source>
        <translation>请求到达得太慢，已放弃。请再次发送。</translation>
    </message>
    <message>
        <source>The request comes from elsewhere</source>
        <translation>请求来自别处</translation>
    </message>
    <message>
        <source>The request could not be understood</source>
        <translation>无法理解请求</translation>
    </message>
    <message>
        <source>The request ended early</source>
        <translation>请求提前结束</translation>
    </message>
    <message>
        <source>The request has no part named `file`. With curl: curl -F file=@PATH URL/upload</source>
        <translation>请求中没有名为 `file` 的部分。用 curl 时：curl -F file=@PATH URL/upload</translation>
    </message>
    <message>
        <source>The request holds no file</source>
        <translation>请求不含文件</translation>
    </message>
    <message>
        <source>The scan broke off: %1. Drop it again.</source>
        <translation>扫描中断：%1。请重新拖入。</translation>
    </message>
    <message>
        <source>The upload has another offset</source>
        <translation>上传的偏移量不同</translation>
    </message>
    <message>
        <source>The upload has expired</source>
        <translation>上传已过期</translation>
    </message>
    <message>
        <source>The upload is larger than the %1 bytes that this receiver takes. Send a smaller file, or have its limit raised.</source>
        <translation>上传超过此接收端接受的 %1 字节。请发送更小的文件，或请对方提高上限。</translation>
    </message>
    <message>
        <source>The web page at %1 may not use this receiver; open the receiver&apos;s own page instead.</source>
        <translation>位于 %1 的网页不得使用此接收端；请改为打开接收端自己的网页。</translation>
    </message>
    <message>
        <source>The whole file system was dropped: drop the folders in it.</source>
        <translation>拖入了整个文件系统：请拖入其中的文件夹。</translation>
    </message>
    <message>
        <source>There is no upload %1 (any more). Start it again with a POST to /tus/.</source>
        <translation>上传 %1 不存在（或已不存在）。请向 /tus/ 发送 POST 重新开始。</translation>
    </message>
    <message>
        <source>These bytes would make the upload longer than its %1 bytes. Send fewer.</source>
        <translation>加上这些字节，上传会超过其 %1 字节。请少发送一些。</translation>
    </message>
    <message>
        <source>This machine is in no network, so no other device can reach it. Connect it first.</source>
        <translation>本机没有网络，其他设备无法连接。请先连接网络。</translation>
    </message>
    <message>
        <source>This receiver needs its token: send the header `Authorization: Bearer TOKEN`.</source>
        <translation>此接收端需要令牌：请发送标头 `Authorization: Bearer TOKEN`。</translation>
    </message>
    <message>
        <source>This upload has %1 bytes, and these are for offset %2. Ask with HEAD where to go on.</source>
        <translation>此上传已有 %1 字节，而这些字节属于偏移量 %2。请用 HEAD 查询从何处继续。</translation>
    </message>
    <message>
        <source>This upload has expired. Start it again with a POST to /tus/.</source>
        <translation>此上传已过期。请向 /tus/ 发送 POST 重新开始。</translation>
    </message>
    <message>
        <source>This upload is joined from others; send more bytes to a new one.</source>
        <translation>此上传由其他上传合并而成；更多字节请发送到新的上传。</translation>
    </message>
    <message>
        <source>Too large</source>
        <translation>过大</translation>
    </message>
    <message>
        <source>Too many levels of symbolic links</source>
        <translation>符号链接层数过多</translation>
    </message>
    <message>
        <source>Too many listen already. Come back in a minute.</source>
        <translation>监听者已过多。请一分钟后再来。</translation>
    </message>
    <message>
        <source>Too many open files</source>
        <translation>打开的文件过多</translation>
    </message>
    <message>
        <source>Too many requests</source>
        <translation>请求过多</translation>
    </message>
    <message>
        <source>Upload-Checksum %1 is not in Base64.</source>
        <translation>Upload-Checksum %1 不是 Base64。</translation>
    </message>
    <message>
        <source>Upload-Checksum is the name of one of %1 and a digest in Base64; it was %2.</source>
        <translation>Upload-Checksum 是 %1 之一的名称加 Base64 摘要；收到的是 %2。</translation>
    </message>
    <message>
        <source>Upload-Concat must be `partial` or `final;` and addresses; it was %1.</source>
        <translation>Upload-Concat 必须是 `partial`，或 `final;` 加地址；收到的是 %1。</translation>
    </message>
    <message>
        <source>Upload-Metadata must be keys with values in Base64; that of %1 is not.</source>
        <translation>Upload-Metadata 必须是键和 Base64 值；%1 的值不是。</translation>
    </message>
    <message>
        <source>You ask this receiver too often. Wait, and send several files in a request.</source>
        <translation>对此接收端的请求过于频繁。请稍候，并在一个请求中发送多个文件。</translation>
    </message>
    <message>
        <source>[Errno %1] %2</source>
        <translation>%2（错误 %1）</translation>
    </message>
    <message>
        <source>[Errno %1] %2: %3</source>
        <translation>%2（错误 %1）：%3</translation>
    </message>
    <message>
        <source>a Celery fleet</source>
        <translation>Celery 集群</translation>
    </message>
    <message>
        <source>a device</source>
        <translation>设备</translation>
    </message>
    <message>
        <source>a limit of %1 bytes a second cannot be kept: use 10K or more</source>
        <translation>无法保持每秒 %1 字节的上限：请使用 10K 或更高</translation>
    </message>
    <message>
        <source>a list</source>
        <translation>列表</translation>
    </message>
    <message>
        <source>a named pipe, which has no end</source>
        <translation>没有结尾的命名管道</translation>
    </message>
    <message>
        <source>a share of large files lies from 0 to 1, not at %1</source>
        <translation>大文件的比例应在 0 到 1 之间，不能是 %1</translation>
    </message>
    <message>
        <source>a socket</source>
        <translation>套接字</translation>
    </message>
    <message>
        <source>a token and a user: choose one way to get in</source>
        <translation>令牌和用户：请选择一种登录方式</translation>
    </message>
    <message>
        <source>a worker vanished with %1</source>
        <translation>一个工作进程带着%1消失了</translation>
    </message>
    <message>
        <source>an address of S3 holds a bucket and a prefix only: s3://bucket/prefix</source>
        <translation>S3 的地址只含存储桶和前缀：s3://bucket/prefix</translation>
    </message>
    <message>
        <source>an object</source>
        <translation>对象</translation>
    </message>
    <message>
        <source>another place</source>
        <translation>其他位置</translation>
    </message>
    <message>
        <source>attempt to write a readonly database</source>
        <translation>试图写入只读数据库</translation>
    </message>
    <message>
        <source>check the access key and its secret.</source>
        <translation>请检查访问密钥及其私钥。</translation>
    </message>
    <message>
        <source>check the access key, its secret, and what it is allowed to do.</source>
        <translation>请检查访问密钥、其私钥和所获权限。</translation>
    </message>
    <message>
        <source>check the address and the kind of target.</source>
        <translation>请检查地址和目标端的类型。</translation>
    </message>
    <message>
        <source>check the address.</source>
        <translation>请检查地址。</translation>
    </message>
    <message>
        <source>check the bucket.</source>
        <translation>请检查存储桶。</translation>
    </message>
    <message>
        <source>check the name of the bucket.</source>
        <translation>请检查存储桶的名称。</translation>
    </message>
    <message>
        <source>check the user and password, or the token.</source>
        <translation>请检查用户和密码，或令牌。</translation>
    </message>
    <message>
        <source>clocks are behind ours: %1; set them by NTP</source>
        <translation>有主机的时钟比本机慢：%1；请用 NTP 校准</translation>
    </message>
    <message>
        <source>database disk image is malformed</source>
        <translation>数据库文件已损坏</translation>
    </message>
    <message>
        <source>database is locked</source>
        <translation>数据库被锁定</translation>
    </message>
    <message>
        <source>database or disk is full</source>
        <translation>数据库或磁盘已满</translation>
    </message>
    <message>
        <source>disk I/O error</source>
        <translation>磁盘 I/O 错误</translation>
    </message>
    <message>
        <source>events come more than %1 s late, and some were not counted in their time: the broker, its network or a host is overloaded</source>
        <translation>事件迟到超过 %1 秒，有些未能及时计入：消息代理、其网络或某台主机过载</translation>
    </message>
    <message>
        <source>file is not a database</source>
        <translation>文件不是数据库</translation>
    </message>
    <message>
        <source>it may pass.</source>
        <translation>可能稍后就好。</translation>
    </message>
    <message>
        <source>it points to %1: check that, and use it as the address.</source>
        <translation>它指向 %1：请核实，并将其用作地址。</translation>
    </message>
    <message>
        <source>it takes no files this way: check the address and the kind of target.</source>
        <translation>它不以这种方式接收文件：请检查地址和目标端的类型。</translation>
    </message>
    <message>
        <source>it takes no files this way: check the kind of target.</source>
        <translation>它不以这种方式接收文件：请检查目标端的类型。</translation>
    </message>
    <message>
        <source>it takes no such files: check the kind of target.</source>
        <translation>它不接收这类文件：请检查目标端的类型。</translation>
    </message>
    <message>
        <source>its disk is full: free some space there, then retry.</source>
        <translation>其磁盘已满：请在那里释放一些空间，然后重试。</translation>
    </message>
    <message>
        <source>its pool can&apos;t change its size</source>
        <translation>其进程池无法改变规模</translation>
    </message>
    <message>
        <source>job must be a string or a whole number, not %1</source>
        <translation>job 必须是字符串或整数，不能是 %1</translation>
    </message>
    <message>
        <source>kind must be one of %1, not %2</source>
        <translation>kind 必须是 %1 之一，不能是 %2</translation>
    </message>
    <message>
        <source>longer than %1 bytes, so this is not a log</source>
        <translation>超过 %1 字节，因此不是日志</translation>
    </message>
    <message>
        <source>more is told than one monitor takes in: one task in %1 was followed, and counts are scaled up from those; times are of those alone</source>
        <translation>事件多于一个监视器所能处理：每 %1 个任务跟踪一个，计数由此放大；时间只取自这些任务</translation>
    </message>
    <message>
        <source>no broker answers at %1 (%2)</source>
        <translation>%1 没有消息代理答复（%2）</translation>
    </message>
    <message>
        <source>no task events come from %1: start with -E, set worker_send_task_events, or attach with --enable-events</source>
        <translation>%1 没有发来任务事件：请用 -E 启动，设置 worker_send_task_events，或用 --enable-events 连接</translation>
    </message>
    <message>
        <source>no worker answers, so there is none to tune: start one</source>
        <translation>没有工作进程答复，因此没有可调整的：请启动一个</translation>
    </message>
    <message>
        <source>no worker answers: start one, or check the broker&apos;s URL</source>
        <translation>没有工作进程答复：请启动一个，或检查消息代理的 URL</translation>
    </message>
    <message>
        <source>nobody told of the beginning of %1</source>
        <translation>无从得知%1何时开始</translation>
    </message>
    <message>
        <source>nobody told when %1 came: set task_send_sent_event = True where tasks are sent from; until then arrivals are taken from the queue&apos;s length</source>
        <translation>无从得知%1何时到达：请在发送任务处设置 task_send_sent_event = True；在此之前，到达数取自队列长度</translation>
    </message>
    <message>
        <source>not JSON (%1)</source>
        <translation>不是 JSON（%1）</translation>
    </message>
    <message>
        <source>not UTF-8 text</source>
        <translation>不是 UTF-8 文本</translation>
    </message>
    <message>
        <source>not a JSON object but %1</source>
        <translation>不是 JSON 对象，而是%1</translation>
    </message>
    <message>
        <source>not a regular file</source>
        <translation>非普通文件</translation>
    </message>
    <message>
        <source>nothing is there: check the address.</source>
        <translation>那里没有内容：请检查地址。</translation>
    </message>
    <message>
        <source>others write the same files to the database</source>
        <translation>其他程序向数据库写入了同样的文件</translation>
    </message>
    <message>
        <source>receiver</source>
        <translation>接收端</translation>
    </message>
    <message>
        <source>server</source>
        <translation>服务器</translation>
    </message>
    <message>
        <source>size must be a whole number of bytes, not %1</source>
        <translation>size 必须是整数字节，不能是 %1</translation>
    </message>
    <message>
        <source>something else is in the way there: check the address.</source>
        <translation>那里被其他东西占用：请检查地址。</translation>
    </message>
    <message>
        <source>start it with CELERY_CUSTOM_WORKER_POOL=dropline.fleet.pool:TaskPool and -P custom, or with -P prefork</source>
        <translation>请用 CELERY_CUSTOM_WORKER_POOL=dropline.fleet.pool:TaskPool 和 -P custom 启动，或用 -P prefork</translation>
    </message>
    <message>
        <source>t goes back from %1 to %2; sort the log by t</source>
        <translation>t 从 %1 退回到 %2；请按 t 对日志排序</translation>
    </message>
    <message>
        <source>t is %1, which is not a time</source>
        <translation>t 是 %1，不是时间</translation>
    </message>
    <message>
        <source>t must be a number of seconds, not %1</source>
        <translation>t 必须是秒数，不能是 %1</translation>
    </message>
    <message>
        <source>the connection broke in the head of the answer</source>
        <translation>连接在答复的开头中断</translation>
    </message>
    <message>
        <source>the connection to the broker was lost for a while, and events with it</source>
        <translation>与消息代理的连接曾中断一段时间，此间的事件已丢失</translation>
    </message>
    <message>
        <source>the disk is too slow. %1</source>
        <translation>磁盘太慢。%1</translation>
    </message>
    <message>
        <source>the file is larger than it takes: raise its limit, or send it elsewhere.</source>
        <translation>文件超过它接受的大小：请提高其上限，或发送到别处。</translation>
    </message>
    <message>
        <source>the fleet changed its size; when is known to 2 s</source>
        <translation>集群改变了规模；其时刻只精确到 2 秒</translation>
    </message>
    <message>
        <source>the header “%1” is set by Dropline: leave it out</source>
        <translation>标头“%1”由 Dropline 设置：请去掉</translation>
    </message>
    <message>
        <source>the keyring cannot be used (%1): check its settings</source>
        <translation>密钥环无法使用（%1）：请检查其设置</translation>
    </message>
    <message>
        <source>the keyring is locked: unlock it, then try again</source>
        <translation>密钥环已锁定：请解锁后重试</translation>
    </message>
    <message>
        <source>the line is closed</source>
        <translation>发送线已关闭</translation>
    </message>
    <message>
        <source>the log doesn&apos;t tell the size of every job: record one anew</source>
        <translation>日志没有记下每个任务的大小：请重新记录一份</translation>
    </message>
    <message>
        <source>the log has no %1 file to draw from: record one with some</source>
        <translation>日志中没有可供抽取的 %1 文件：请记录一份含有这类文件的</translation>
    </message>
    <message>
        <source>the name is longer than it takes: shorten it.</source>
        <translation>名称超过它接受的长度：请缩短。</translation>
    </message>
    <message>
        <source>the order %1 needs the size of every job, which the log doesn&apos;t tell: record one anew</source>
        <translation>次序 %1 需要每个任务的大小，而日志没有记下：请重新记录一份</translation>
    </message>
    <message>
        <source>the process that walked the folders was ended</source>
        <translation>遍历文件夹的进程已终止</translation>
    </message>
    <message>
        <source>the proxy is no address like http://host:port: a user and a password of it belong into the environment variable HTTPS_PROXY</source>
        <translation>代理不是 http://host:port 这样的地址：其用户和密码应放在环境变量 HTTPS_PROXY 中</translation>
    </message>
    <message>
        <source>the proxy wants to know who you are: set HTTPS_PROXY to http://user:password@proxy.</source>
        <translation>代理要求身份验证：请将 HTTPS_PROXY 设为 http://user:password@proxy。</translation>
    </message>
    <message>
        <source>the rest of this upload</source>
        <translation>此上传的其余部分</translation>
    </message>
    <message>
        <source>the system does not tell of all changes in it, as is usual for network folders and links to folders; elsewhere raise the limit of inotify&apos;s watches.</source>
        <translation>系统不通知其中的全部变化，网络文件夹和指向文件夹的链接通常如此；否则请提高 inotify 的监视上限。</translation>
    </message>
    <message>
        <source>the system does not tell of changes in it (%1): where that is a limit of inotify, raise it to have them told.</source>
        <translation>系统不通知其中的变化（%1）：若是 inotify 的上限所致，请提高上限。</translation>
    </message>
    <message>
        <source>the token is empty or holds characters that none can hold: check it</source>
        <translation>令牌为空，或含有不允许的字符：请检查</translation>
    </message>
    <message>
        <source>the watcher is closed</source>
        <translation>监视器已关闭</translation>
    </message>
    <message>
        <source>this system has no keyring to keep passwords in: start one (GNOME Keyring, KWallet), or give the password by DROPLINE_PASSWORD or the token by DROPLINE_TOKEN</source>
        <translation>本系统没有可保存密码的密钥环：请启动一个（GNOME Keyring、KWallet），或用 DROPLINE_PASSWORD 提供密码、用 DROPLINE_TOKEN 提供令牌</translation>
    </message>
    <message>
        <source>unable to open database file</source>
        <translation>无法打开数据库文件</translation>
    </message>
    <message>
        <source>watching has ended</source>
        <translation>观察已结束</translation>
    </message>
    <message>
        <source>what had been done was run again: %1</source>
        <translation>已完成的又运行了一遍：%1</translation>
    </message>
    <message>
        <source>what was there is gone: check the address.</source>
        <translation>原来的内容已不存在：请检查地址。</translation>
    </message>
    <message>
        <source>worker must be a whole number, not %1</source>
        <translation>worker 必须是整数，不能是 %1</translation>
    </message>
    <message>
        <source>workers must be a whole number from 0 on, not %1</source>
        <translation>workers 必须是从 0 起的整数，不能是 %1</translation>
    </message>
    <message>
        <source>you may not write there: ask for permission, or choose another folder.</source>
        <translation>没有写入权限：请申请权限，或选择其他文件夹。</translation>
    </message>
    <message>
        <source>“%1” asks for %2: use one of %3</source>
        <translation>“%1”要求使用 %2：请使用 %3 之一</translation>
    </message>
    <message>
        <source>“%1” cannot be read (%2): check its disk, then drop it again.</source>
        <translation>“%1”无法读取（%2）：请检查其磁盘，然后重新拖入。</translation>
    </message>
    <message>
        <source>“%1” cannot be read (%2): check its disk, then retry.</source>
        <translation>“%1”无法读取（%2）：请检查其磁盘，然后重试。</translation>
    </message>
    <message>
        <source>“%1” cannot be read (%2): check its disk.</source>
        <translation>“%1”无法读取（%2）：请检查其磁盘。</translation>
    </message>
    <message>
        <source>“%1” cannot have the name “%2” there: rename it.</source>
        <translation>“%1”在那里不能使用名称“%2”：请重命名。</translation>
    </message>
    <message>
        <source>“%1” changed while it was read: it is sent again whole once it rests.</source>
        <translation>“%1”在读取时发生了变化：待其不再变化后会重新完整发送。</translation>
    </message>
    <message>
        <source>“%1” has grown: it is sent again alone.</source>
        <translation>“%1”变大了：将单独重新发送。</translation>
    </message>
    <message>
        <source>“%1” is %2: only files are sent.</source>
        <translation>“%1”是%2：只能发送文件。</translation>
    </message>
    <message>
        <source>“%1” is a link that leads round to itself: remove it.</source>
        <translation>“%1”是绕回自身的链接：请删除。</translation>
    </message>
    <message>
        <source>“%1” is a link to something that is not there: put that back or leave it.</source>
        <translation>“%1”是指向不存在之物的链接：请将其放回，或不必理会。</translation>
    </message>
    <message>
        <source>“%1” is a whole file system: watch the folders in it.</source>
        <translation>“%1”是整个文件系统：请监视其中的文件夹。</translation>
    </message>
    <message>
        <source>“%1” is larger than %2 takes (%3 bytes): send it elsewhere.</source>
        <translation>“%1”超过 %2 接受的大小（%3 字节）：请发送到别处。</translation>
    </message>
    <message>
        <source>“%1” is no address of a folder: use https://host/path</source>
        <translation>“%1”不是文件夹的地址：请使用 https://host/path</translation>
    </message>
    <message>
        <source>“%1” is no address of a form: use http://host/path</source>
        <translation>“%1”不是表单的地址：请使用 http://host/path</translation>
    </message>
    <message>
        <source>“%1” is no address of a receiver: use http://host:port</source>
        <translation>“%1”不是接收端的地址：请使用 http://host:port</translation>
    </message>
    <message>
        <source>“%1” is no address of a tus server: use https://host/path</source>
        <translation>“%1”不是 tus 服务器的地址：请使用 https://host/path</translation>
    </message>
    <message>
        <source>“%1” is no address of an S3 store: use https://host</source>
        <translation>“%1”不是 S3 存储的地址：请使用 https://host</translation>
    </message>
    <message>
        <source>“%1” is no broker&apos;s URL that Celery knows: %2</source>
        <translation>“%1”不是 Celery 认得的消息代理 URL：%2</translation>
    </message>
    <message>
        <source>“%1” is no folder: put the folder back.</source>
        <translation>“%1”不是文件夹：请将文件夹放回。</translation>
    </message>
    <message>
        <source>“%1” is no header: use &apos;Name: value&apos;</source>
        <translation>“%1”不是标头：请使用 &apos;Name: value&apos;</translation>
    </message>
    <message>
        <source>“%1” is no longer a file: drop it again.</source>
        <translation>“%1”已不再是文件：请重新拖入。</translation>
    </message>
    <message>
        <source>“%1” is no rate: write bytes a second, such as 800K, 5M or 1.5G</source>
        <translation>“%1”不是速率：请写每秒字节数，例如 800K、5M 或 1.5G</translation>
    </message>
    <message>
        <source>“%1” is no user name: a colon cannot be in one</source>
        <translation>“%1”不是用户名：其中不能有冒号</translation>
    </message>
    <message>
        <source>“%1” is not there any more: put it back, then drop it again.</source>
        <translation>“%1”已不存在：请将其放回，然后重新拖入。</translation>
    </message>
    <message>
        <source>“%1” is not there any more: put it back, then retry.</source>
        <translation>“%1”已不存在：请将其放回，然后重试。</translation>
    </message>
    <message>
        <source>“%1” is not there: put it back or mount its disk.</source>
        <translation>“%1”不存在：请将其放回，或挂载其磁盘。</translation>
    </message>
    <message>
        <source>“%1” is to be sent to by %2, not by %3: leave one of them out</source>
        <translation>“%1”的发送方式既是 %2，又是 %3：请去掉其一</translation>
    </message>
    <message>
        <source>“%1” is watched already, as a part of “%2”.</source>
        <translation>“%1”已作为“%2”的一部分受到监视。</translation>
    </message>
    <message>
        <source>“%1” is watched, a part of “%2”: stop watching that first.</source>
        <translation>“%1”已受监视，是“%2”的一部分：请先停止监视它。</translation>
    </message>
    <message>
        <source>“%1” lies too deep to be read: move it further up, then drop it again.</source>
        <translation>“%1”层级过深，无法读取：请移到更高层级，然后重新拖入。</translation>
    </message>
    <message>
        <source>“%1” may not be read: give yourself permission to, then drop it again.</source>
        <translation>“%1”没有读取权限：请授予自己权限，然后重新拖入。</translation>
    </message>
    <message>
        <source>“%1” may not be read: give yourself permission to, then retry.</source>
        <translation>“%1”没有读取权限：请授予自己权限，然后重试。</translation>
    </message>
    <message>
        <source>“%1” may not be read: give yourself permission to.</source>
        <translation>“%1”没有读取权限：请授予自己权限。</translation>
    </message>
    <message>
        <source>“s3://%1” names no bucket: use s3://bucket/prefix</source>
        <translation>“s3://%1”没有存储桶名称：请使用 s3://bucket/prefix</translation>
    </message>
</context>
<context>
    <name>Curve</name>
    <message>
        <source>What is predicted for each number of workers</source>
        <extracomment>Workers that the axis reaches to at least. Seconds after the user&apos;s own change during which what is told of it may be older. Milliseconds after the last key before the number of workers is set. The scale ends at so many times what is predicted for the fewest workers that keep up well. And farther for what was measured, up to so many times. The number under the line while it is moved, and what is now wanted when it is not.</extracomment>
        <translation>每种工作线程数的预测</translation>
    </message>
    <message>
        <source>Drag the line, or use the arrow keys, to set the number of workers. The tinted band holds the truth about 9 times in 10.</source>
        <translation>拖动竖线或用方向键设定工作线程数。真实值约有九成落在着色带内。</translation>
    </message>
    <message>
        <source>What other numbers of workers would do appears here once files are sent.</source>
        <translation>发送文件后，这里显示换用其他工作线程数会怎样。</translation>
    </message>
    <message>
        <source>too few</source>
        <translation>太少</translation>
    </message>
    <message numerus="yes">
        <source>%Ln worker(s)</source>
        <translation>
            <numerusform>%Ln 个工作线程</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>DestinationButton</name>
    <message>
        <source>the receiver in this window</source>
        <extracomment>The choice is another one.</extracomment>
        <translation>本窗口内的接收端</translation>
    </message>
    <message>
        <source>To: {}</source>
        <translation>发往：{}</translation>
    </message>
    <message>
        <source>To: {0}; from the next start: {1}</source>
        <translation>发往：{0}；下次启动起：{1}</translation>
    </message>
    <message>
        <source>Where files go</source>
        <translation>文件发往何处</translation>
    </message>
    <message>
        <source>{}. Choose another target here; it is used from the next start on.</source>
        <translation>{}。可在此选择其他目标端，下次启动起生效。</translation>
    </message>
    <message>
        <source>&amp;Send to</source>
        <translation>发送到(&amp;S)</translation>
    </message>
</context>
<context>
    <name>DestinationDialog</name>
    <message>
        <source>Send to…</source>
        <extracomment>Addresses as examples of what can be sent to. Where an item of the list keeps the name of its target. Targets or the choice among them were changed. What a trial or the keyring said, from their thread: whether all is well, and a sentence. A profile is good, and its secret is in the keyring; whether it is to be used.</extracomment>
        <translation>发送到…</translation>
    </message>
    <message>
        <source>Files go to the receiver inside this window, or to an address of yours: another receiver of Dropline&apos;s, WebDAV, tus, S3 or a form. Examples: {}</source>
        <translation>文件发往本窗口内的接收端，或您指定的地址：另一个 Dropline 接收端、WebDAV、tus、S3 或表单。例如：{}</translation>
    </message>
    <message>
        <source>Targets</source>
        <translation>目标端</translation>
    </message>
    <message>
        <source>&amp;Name</source>
        <translation>名称(&amp;N)</translation>
    </message>
    <message>
        <source>&amp;Address</source>
        <translation>地址(&amp;A)</translation>
    </message>
    <message>
        <source>&amp;User</source>
        <translation>用户(&amp;U)</translation>
    </message>
    <message>
        <source>&amp;Password or token</source>
        <translation>密码或令牌(&amp;P)</translation>
    </message>
    <message>
        <source>&amp;Limit</source>
        <translation>限速(&amp;L)</translation>
    </message>
    <message>
        <source>as kept in the keyring</source>
        <translation>使用密钥环中保存的</translation>
    </message>
    <message>
        <source>A&amp;dd</source>
        <translation>添加(&amp;D)</translation>
    </message>
    <message>
        <source>&amp;Remove</source>
        <translation>移除(&amp;R)</translation>
    </message>
    <message>
        <source>&amp;Test: send a small file</source>
        <translation>测试：发送一个小文件(&amp;T)</translation>
    </message>
    <message>
        <source>&amp;Keep</source>
        <translation>保存(&amp;K)</translation>
    </message>
    <message>
        <source>Use &amp;from the next start on</source>
        <translation>下次启动起使用(&amp;F)</translation>
    </message>
    <message>
        <source>The receiver in this window</source>
        <translation>本窗口内的接收端</translation>
    </message>
    <message>
        <source>There is a target “{}” already: give this one another name.</source>
        <translation>已有名为 “{}” 的目标端：请换一个名称。</translation>
    </message>
    <message>
        <source>“{}” is kept.</source>
        <translation>已保存 “{}”。</translation>
    </message>
    <message>
        <source>“{}” is gone, and its password with it.</source>
        <translation>已移除 “{}” 及其密码。</translation>
    </message>
    <message>
        <source>It works: {} is there, and verified.</source>
        <translation>可以使用：{} 已送达并通过校验。</translation>
    </message>
    <message>
        <source>It works: {} was taken; the server does not prove what it holds.</source>
        <translation>可以使用：服务器已接收 {}，但未证明其内容。</translation>
    </message>
    <message>
        <source>One moment…</source>
        <translation>请稍候…</translation>
    </message>
</context>
<context>
    <name>Dock</name>
    <message>
        <source>On the &amp;left</source>
        <extracomment>Where it can go.</extracomment>
        <translation>左侧(&amp;L)</translation>
    </message>
    <message>
        <source>On the &amp;right</source>
        <translation>右侧(&amp;R)</translation>
    </message>
    <message>
        <source>&amp;Above</source>
        <translation>上方(&amp;A)</translation>
    </message>
    <message>
        <source>&amp;Below</source>
        <translation>下方(&amp;B)</translation>
    </message>
    <message>
        <source>In a &amp;window of its own</source>
        <translation>独立窗口(&amp;W)</translation>
    </message>
</context>
<context>
    <name>DropZone</name>
    <message>
        <source>Drop files or folders here</source>
        <translation>将文件或文件夹拖到这里</translation>
    </message>
    <message>
        <source>anywhere on the window, or paste them</source>
        <translation>拖到窗口任意位置，或直接粘贴</translation>
    </message>
</context>
<context>
    <name>Drops</name>
    <message>
        <source>The clipboard is empty: copy files, or their paths as text, first.</source>
        <extracomment>A drop zone that is narrower than these pixels says less. The paths, a list of str. As `object`, because Qt&apos;s own list would take the bytes that are no UTF-8 out of the names. A sentence about something that was dropped and cannot be taken.</extracomment>
        <translation>剪贴板是空的：请先复制文件，或以文本形式复制其路径。</translation>
    </message>
    <message>
        <source>“{}” is no file on this computer: save it here first, then drop it.</source>
        <translation>“{}”不是本机上的文件：请先保存到本机，再拖进来。</translation>
    </message>
    <message>
        <source>“{0}” and {1} more are no files on this computer: save them here first, then drop them.</source>
        <translation>“{0}”等（另有 {1} 个）不是本机上的文件：请先保存到本机，再拖进来。</translation>
    </message>
</context>
<context>
    <name>ErrorReporter</name>
    <message>
        <source>Something in Dropline failed unexpectedly ({}). Uploads go on; please report it with the details.</source>
        <extracomment>A sentence, and the traceback to copy.</extracomment>
        <translation>Dropline 发生意外错误（{}）。上传仍在继续；请附上详细信息报告此问题。</translation>
    </message>
</context>
<context>
    <name>Event</name>
    <message>
        <source>Files</source>
        <translation>文件</translation>
    </message>
    <message>
        <source>Drops</source>
        <translation>拖放</translation>
    </message>
    <message>
        <source>Workers</source>
        <translation>工作线程</translation>
    </message>
    <message>
        <source>Receiver</source>
        <translation>接收端</translation>
    </message>
    <message>
        <source>Trouble</source>
        <translation>故障</translation>
    </message>
    <message>
        <source>Other</source>
        <translation>其他</translation>
    </message>
    <message>
        <source>Dropped: {}</source>
        <translation>已拖入：{}</translation>
    </message>
    <message>
        <source>Dropped: {0} and {1} more</source>
        <translation>已拖入：{0}，另有 {1} 项</translation>
    </message>
    <message>
        <source>Refused: {}</source>
        <translation>已拒绝：{}</translation>
    </message>
    <message>
        <source>Watching {}</source>
        <translation>正在监视 {}</translation>
    </message>
    <message>
        <source>Watching {0}. {1}</source>
        <translation>正在监视 {0}。{1}</translation>
    </message>
    <message>
        <source>Watching again: {}</source>
        <translation>恢复监视：{}</translation>
    </message>
    <message>
        <source>Not watching any more: {}</source>
        <translation>不再监视：{}</translation>
    </message>
    <message>
        <source>Queued: {0}, {1}</source>
        <translation>已排队：{0}，{1}</translation>
    </message>
    <message>
        <source>Started: {0}, attempt {1}, worker {2}</source>
        <translation>已开始：{0}，第 {1} 次尝试，工作线程 {2}</translation>
    </message>
    <message>
        <source>Verified, was there already: {0}, in {1}</source>
        <translation>已校验，接收端原已存有：{0}，用时 {1}</translation>
    </message>
    <message>
        <source>Sent, size checked: {0}, in {1}</source>
        <translation>已发送，大小相符：{0}，用时 {1}</translation>
    </message>
    <message>
        <source>Sent, not verified by the server: {0}, in {1}</source>
        <translation>已发送，服务器未校验：{0}，用时 {1}</translation>
    </message>
    <message>
        <source>Sent and verified: {0}, in {1}</source>
        <translation>已发送并校验：{0}，用时 {1}</translation>
    </message>
    <message>
        <source>Retry in {0}: {1}: {2}</source>
        <translation>{0}后重试：{1}：{2}</translation>
    </message>
    <message>
        <source>Failed: {0}: {1}</source>
        <translation>失败：{0}：{1}</translation>
    </message>
    <message>
        <source>Unchanged, sent there before: {}</source>
        <translation>未改动，此前已发送：{}</translation>
    </message>
    <message>
        <source>Paused: {}</source>
        <translation>已暂停：{}</translation>
    </message>
    <message>
        <source>Resumed: {}</source>
        <translation>已继续：{}</translation>
    </message>
    <message>
        <source>Sent before the others: {}</source>
        <translation>优先发送：{}</translation>
    </message>
    <message>
        <source>In its usual turn: {}</source>
        <translation>恢复正常次序：{}</translation>
    </message>
    <message>
        <source>Cancelled: {}</source>
        <translation>已取消：{}</translation>
    </message>
    <message>
        <source>Workers: {0} → {1}</source>
        <translation>工作线程：{0} → {1}</translation>
    </message>
    <message>
        <source>Order: {}</source>
        <translation>次序：{}</translation>
    </message>
    <message>
        <source>Target {0} is down: {1}</source>
        <translation>目标 {0} 无法访问：{1}</translation>
    </message>
    <message>
        <source>Target {} answers again</source>
        <translation>目标 {} 已恢复响应</translation>
    </message>
    <message>
        <source>This computer has no network</source>
        <translation>本机没有网络</translation>
    </message>
    <message>
        <source>This computer has a network again</source>
        <translation>本机网络已恢复</translation>
    </message>
    <message>
        <source>Paused</source>
        <translation>已暂停</translation>
    </message>
    <message>
        <source>Resumed</source>
        <translation>已继续</translation>
    </message>
    <message>
        <source>Receiver listens at {}</source>
        <translation>接收端正在监听 {}</translation>
    </message>
    <message>
        <source>Receiver at {} stopped</source>
        <translation>接收端 {} 已停止</translation>
    </message>
    <message>
        <source>Stored at the receiver: {0}, {1}</source>
        <translation>接收端已存储：{0}，{1}</translation>
    </message>
    <message>
        <source>Recording the log to {}</source>
        <translation>日志正记录到 {}</translation>
    </message>
    <message>
        <source>Recorded: {}</source>
        <translation>已记录：{}</translation>
    </message>
    <message>
        <source>Internal error in {0}: {1}</source>
        <translation>{0} 内部错误：{1}</translation>
    </message>
    <message>
        <source>{} failed</source>
        <translation>失败 {} 个</translation>
    </message>
    <message>
        <source>{} cancelled</source>
        <translation>取消 {} 个</translation>
    </message>
    <message>
        <source>, </source>
        <translation>，</translation>
    </message>
</context>
<context>
    <name>EventLog</name>
    <message>
        <source>All events</source>
        <extracomment>Milliseconds after the last key before the list is filtered.</extracomment>
        <translation>全部事件</translation>
    </message>
    <message>
        <source>Kind of event</source>
        <translation>事件类型</translation>
    </message>
    <message>
        <source>Search events</source>
        <translation>搜索事件</translation>
    </message>
    <message>
        <source>Clear the log</source>
        <translation>清空日志</translation>
    </message>
    <message>
        <source>Events</source>
        <translation>事件</translation>
    </message>
    <message>
        <source>{} older not kept</source>
        <translation>更早的 {} 条未保留</translation>
    </message>
</context>
<context>
    <name>Explorer</name>
    <message>
        <source>Reading {}…</source>
        <extracomment>Milliseconds that the view has to be at rest before it is summed up.</extracomment>
        <translation>正在读取 {}…</translation>
    </message>
    <message>
        <source>Reading the history…</source>
        <translation>正在读取历史…</translation>
    </message>
    <message>
        <source>Open log…</source>
        <translation>打开日志…</translation>
    </message>
    <message>
        <source>Show another recorded log here.</source>
        <translation>在此显示另一份记录的日志。</translation>
    </message>
    <message>
        <source>Whole</source>
        <translation>全部</translation>
    </message>
    <message>
        <source>Show the whole of it (Home).</source>
        <translation>显示全部（Home）。</translation>
    </message>
    <message>
        <source>Keep to compare</source>
        <translation>保留以比较</translation>
    </message>
    <message>
        <source>Keep the figures of what is shown, and see beside them those of another span or log.</source>
        <translation>保留当前所示的指标，以便与另一时段或日志并排比较。</translation>
    </message>
    <message>
        <source>Compare no more</source>
        <translation>取消比较</translation>
    </message>
    <message>
        <source>Forget the span that was kept.</source>
        <translation>丢弃保留的时段。</translation>
    </message>
    <message>
        <source>Export</source>
        <translation>导出</translation>
    </message>
    <message>
        <source>Save what is shown.</source>
        <translation>保存所显示的内容。</translation>
    </message>
    <message>
        <source>&amp;Picture (PNG)…</source>
        <translation>图片 (PNG)(&amp;P)…</translation>
    </message>
    <message>
        <source>&amp;Drawing (SVG)…</source>
        <translation>矢量图 (SVG)(&amp;D)…</translation>
    </message>
    <message>
        <source>&amp;Table of the figures (CSV)…</source>
        <translation>指标表 (CSV)(&amp;T)…</translation>
    </message>
    <message>
        <source>&amp;Report (HTML)…</source>
        <translation>报告 (HTML)(&amp;R)…</translation>
    </message>
    <message>
        <source>Saved as {}</source>
        <translation>已保存为 {}</translation>
    </message>
    <message>
        <source>Kept: {}</source>
        <translation>保留的：{}</translation>
    </message>
    <message>
        <source>This: {}</source>
        <translation>本时段：{}</translation>
    </message>
    <message>
        <source>Open a recorded log</source>
        <translation>打开记录的日志</translation>
    </message>
    <message>
        <source>Recorded logs (*.jsonl)</source>
        <translation>记录的日志 (*.jsonl)</translation>
    </message>
    <message>
        <source>All files (*)</source>
        <translation>所有文件 (*)</translation>
    </message>
</context>
<context>
    <name>FleetWindow</name>
    <message>
        <source>Workers</source>
        <extracomment>Milliseconds after which a number of workers that can&apos;t be is replaced by the one there is. Everything is closed.</extracomment>
        <translation>工作线程</translation>
    </message>
    <message>
        <source>Events</source>
        <translation>事件</translation>
    </message>
    <message>
        <source>Asking the workers behind {0} …</source>
        <translation>正在询问 {0} 后面的工作进程…</translation>
    </message>
    <message>
        <source>All figures are exact.</source>
        <translation>所有数字都是精确的。</translation>
    </message>
</context>
<context>
    <name>Goal</name>
    <message>
        <source>goal {}</source>
        <translation>目标 {}</translation>
    </message>
</context>
<context>
    <name>GoalChoice</name>
    <message>
        <source>&amp;Goal</source>
        <extracomment>The first limits, in seconds.</extracomment>
        <translation>目标(&amp;G)</translation>
    </message>
    <message>
        <source>None: just keep up</source>
        <translation>无：跟得上即可</translation>
    </message>
    <message>
        <source>95 of 100 files done within</source>
        <translation>100 个文件中 95 个完成于</translation>
    </message>
    <message>
        <source>Files wait, on average, at most</source>
        <translation>文件平均等待至多</translation>
    </message>
    <message>
        <source>All that is here sent by</source>
        <translation>现有文件全部发送完，不晚于</translation>
    </message>
    <message>
        <source>What you want of the line</source>
        <translation>你对系统的要求</translation>
    </message>
    <message>
        <source> s</source>
        <comment>seconds</comment>
        <translation> 秒</translation>
    </message>
    <message>
        <source>Seconds of the goal</source>
        <translation>目标的秒数</translation>
    </message>
    <message>
        <source>Time of day of the goal</source>
        <translation>目标的时刻</translation>
    </message>
    <message>
        <source>the goal</source>
        <translation>目标</translation>
    </message>
    <message>
        <source>&lt;p&gt;What you want of the line. The advice names the fewest workers that reach it.&lt;/p&gt;&lt;p&gt;&lt;i&gt;Done within&lt;/i&gt;: of 100 files, 95 take at most this long from drop to done (τ, 95th percentile). &lt;i&gt;Wait&lt;/i&gt;: the mean time before a worker takes a file (Wq). The article sets no goals; its response time is τ = L/μ.&lt;/p&gt;</source>
        <translation>&lt;p&gt;你对系统的要求。建议给出达到它所需的最少工作线程数。&lt;/p&gt;&lt;p&gt;&lt;i&gt;完成于&lt;/i&gt;：100 个文件中有 95 个从拖入到完成至多用这么久（τ 的第 95 百分位数）。&lt;i&gt;等待&lt;/i&gt;：工作线程取走文件之前的平均时间（Wq）。文中没有设目标；其响应时间为 τ = L/μ。&lt;/p&gt;</translation>
    </message>
</context>
<context>
    <name>Head</name>
    <message>
        <source>Move “{}” elsewhere</source>
        <translation>将“{}”移到别处</translation>
    </message>
    <message>
        <source>Hide “{}”: the View menu shows it again</source>
        <translation>隐藏“{}”：可从“视图”菜单重新显示</translation>
    </message>
</context>
<context>
    <name>HelpButton</name>
    <message>
        <source>What is {}?</source>
        <translation>什么是{}？</translation>
    </message>
</context>
<context>
    <name>LaneStrip</name>
    <message numerus="yes">
        <source>and %Ln more in one request</source>
        <extracomment>Tells the name of a file.</extracomment>
        <translation>
            <numerusform>及同一请求中的另外 %Ln 个</numerusform>
        </translation>
    </message>
    <message>
        <source>waited up to {}</source>
        <translation>最长等待 {}</translation>
    </message>
    <message>
        <source>waited {}</source>
        <translation>等待 {}</translation>
    </message>
    <message>
        <source>sending for {}</source>
        <translation>已发送 {}</translation>
    </message>
    <message>
        <source>sent in {}</source>
        <translation>用时 {} 发送完</translation>
    </message>
    <message>
        <source>ended after {}</source>
        <translation>{} 后结束</translation>
    </message>
    <message>
        <source>attempt {}</source>
        <translation>第 {} 次尝试</translation>
    </message>
    <message>
        <source>cancelled</source>
        <translation>已取消</translation>
    </message>
    <message>
        <source>failed, will be tried again</source>
        <translation>失败，将重试</translation>
    </message>
    <message>
        <source>failed for good</source>
        <translation>最终失败</translation>
    </message>
    <message>
        <source>{0} of {1}: {2}</source>
        <translation>{1} 个中的 {0} 个：{2}</translation>
    </message>
</context>
<context>
    <name>LedgerModel</name>
    <message>
        <source>When</source>
        <translation>时间</translation>
    </message>
    <message>
        <source>Workers</source>
        <translation>工作线程</translation>
    </message>
    <message>
        <source>By</source>
        <translation>由谁</translation>
    </message>
    <message>
        <source>Figure</source>
        <translation>指标</translation>
    </message>
    <message>
        <source>Predicted</source>
        <translation>预测</translation>
    </message>
    <message>
        <source>90 % range</source>
        <translation>90% 范围</translation>
    </message>
    <message>
        <source>Measured</source>
        <translation>实测</translation>
    </message>
    <message>
        <source>Error</source>
        <translation>误差</translation>
    </message>
    <message>
        <source>X throughput</source>
        <translation>X 吞吐量</translation>
    </message>
    <message>
        <source>L in the line</source>
        <translation>L 系统中的文件</translation>
    </message>
    <message>
        <source>τ mean</source>
        <translation>τ 平均</translation>
    </message>
    <message>
        <source>until no queue</source>
        <translation>直到无人排队</translation>
    </message>
    <message>
        <source>you</source>
        <translation>你</translation>
    </message>
    <message>
        <source>you, on the curve</source>
        <translation>你，在曲线上</translation>
    </message>
    <message>
        <source>autopilot</source>
        <translation>自动调优</translation>
    </message>
    <message>
        <source>probe</source>
        <translation>试探</translation>
    </message>
    <message>
        <source>start</source>
        <translation>启动</translation>
    </message>
    <message>
        <source>The line has not settled yet since this change.</source>
        <translation>此次改动后系统尚未稳定。</translation>
    </message>
    <message>
        <source>Measured over {} once the line had settled.</source>
        <translation>系统稳定后测量了 {}。</translation>
    </message>
    <message>
        <source>Another change came before the line had settled.</source>
        <translation>系统稳定之前又有了改动。</translation>
    </message>
</context>
<context>
    <name>LedgerWindow</name>
    <message>
        <source>Predictions and what came</source>
        <translation>预测与实际</translation>
    </message>
    <message>
        <source>Export as CSV…</source>
        <translation>导出为 CSV…</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
</context>
<context>
    <name>LimitBox</name>
    <message>
        <source>Limit on bytes a second</source>
        <extracomment>Bytes a second to choose from; others can be typed. Bytes a second, or None for no limit. Why what was typed is no limit, as a sentence.</extracomment>
        <translation>每秒字节数上限</translation>
    </message>
    <message>
        <source>How many bytes a second all workers together may send: choose, or type such as 800K or 5M</source>
        <translation>所有工作线程合计每秒最多发送的字节数：可选择，也可输入如 800K 或 5M</translation>
    </message>
    <message>
        <source>The limit stays as it was: {}.</source>
        <translation>上限保持不变：{}。</translation>
    </message>
    <message>
        <source>off</source>
        <translation>不限</translation>
    </message>
</context>
<context>
    <name>MainWindow</name>
    <message>
        <source>Dropline: {} to send</source>
        <translation>Dropline：待发送 {} 个</translation>
    </message>
    <message>
        <source>A part of Dropline failed ({}). Uploads go on; please report it.</source>
        <translation>Dropline 的一个部分出错（{}）。上传仍在继续；请报告此问题。</translation>
    </message>
    <message>
        <source>As at fir&amp;st</source>
        <translation>恢复初始布局(&amp;S)</translation>
    </message>
    <message>
        <source>&amp;Event log</source>
        <translation>事件日志(&amp;E)</translation>
    </message>
    <message>
        <source>T&amp;heme</source>
        <translation>主题(&amp;H)</translation>
    </message>
    <message>
        <source>&amp;Language</source>
        <translation>语言(&amp;L)</translation>
    </message>
    <message>
        <source>Saved as {}</source>
        <extracomment>Paths to take in; emitted while a drop lasts, see `Drops.received`. Job ids, or None for all. Job ids. Job ids, and the priority that they are to have. Bytes a second, or None for no limit. Try a target that is down now. A folder to watch, or to watch no more. Tell `watched` which files wait to be at rest. Ask for a simulated load. Ask for all that can be set. Ask where files shall go. Tell about the program. Start at login, or do not. Make sample files, and send them. Ask for a recorded log to show; show the history. Seconds that the figures are to be taken over.</extracomment>
        <translation>已保存为 {}</translation>
    </message>
    <message>
        <source>&amp;Files</source>
        <translation>文件列表(&amp;F)</translation>
    </message>
    <message>
        <source>&amp;Tuning</source>
        <translation>调优(&amp;T)</translation>
    </message>
    <message>
        <source>&amp;Arrange</source>
        <translation>布局(&amp;A)</translation>
    </message>
    <message>
        <source>&amp;As the system</source>
        <translation>跟随系统(&amp;A)</translation>
    </message>
    <message>
        <source>&amp;Light</source>
        <translation>浅色(&amp;L)</translation>
    </message>
    <message>
        <source>&amp;Dark</source>
        <translation>深色(&amp;D)</translation>
    </message>
    <message>
        <source>Tuning, simulated</source>
        <translation>调优（模拟）</translation>
    </message>
</context>
<context>
    <name>Notice</name>
    <message>
        <source>Copy details</source>
        <extracomment>Notices shown at most; an older one makes room. As it was said, in core&apos;s words where it comes from there.</extracomment>
        <translation>复制详细信息</translation>
    </message>
    <message>
        <source>Dismiss</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>{0} ({1} times)</source>
        <translation>{0}（{1} 次）</translation>
    </message>
</context>
<context>
    <name>Order</name>
    <message>
        <source>First come, first served</source>
        <translation>先到先服务</translation>
    </message>
    <message>
        <source>Shortest first</source>
        <translation>最短优先</translation>
    </message>
    <message>
        <source>Small files&apos; lane</source>
        <translation>小文件专道</translation>
    </message>
</context>
<context>
    <name>OrderChoice</name>
    <message>
        <source>&amp;Order</source>
        <translation>次序(&amp;O)</translation>
    </message>
    <message>
        <source>Order in which waiting files are sent</source>
        <translation>等待的文件按什么次序发送</translation>
    </message>
    <message>
        <source>&lt;p&gt;&lt;b&gt;Mean response time τ&lt;/b&gt; of the files finished in the {0} before the order was changed last (or since the change before, where that is more recent), and of those finished since. Each is shown from {1} files on. What else changed, such as the workers or the length of the queue, counts too.&lt;/p&gt;</source>
        <translation>&lt;p&gt;&lt;b&gt;平均响应时间 τ&lt;/b&gt;：最近一次更改次序之前 {0}内（若再前一次更改距今更近，则自那次更改起）完成的文件，与更改之后完成的文件相比。各需至少 {1} 个文件才显示。其间其他变化（如工作线程数或队列长度）的影响也包含在内。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>Files are sent in the order in which they came.</source>
        <translation>文件按到达的先后发送。</translation>
    </message>
    <message>
        <source>Small files go before larger ones.</source>
        <translation>小文件先于大文件发送。</translation>
    </message>
    <message>
        <source>Large files leave a worker to the small ones.</source>
        <translation>大文件总给小文件留出一个工作线程。</translation>
    </message>
    <message>
        <source>each file waits for all that came before it, so one large file makes τ long for all behind it; no file is overtaken.</source>
        <translation>每个文件都要等前面的全部发完，因此一个大文件会拉长其后所有文件的 τ；但没有文件会被插队。</translation>
    </message>
    <message>
        <source>no small file waits for a larger one, which makes mean τ as short as any order can; the largest files wait longest, and the slowest τ (p99) may grow.</source>
        <translation>小文件从不等待更大的文件，平均 τ 因此短到任何次序所能达到的最小值；最大的文件等得最久，最慢的 τ（p99）可能变长。</translation>
    </message>
    <message>
        <source>while files of up to {} wait, larger ones never hold all workers: τ of small files stays short, and large ones lose one worker at most.</source>
        <translation>只要有不超过 {} 的文件在等待，更大的文件就不会占满所有工作线程：小文件的 τ 保持很短，大文件最多少用一个工作线程。</translation>
    </message>
    <message>
        <source>Mean τ: {0} before, {1} since</source>
        <translation>平均 τ：更改前 {0}，更改后 {1}</translation>
    </message>
</context>
<context>
    <name>Palette</name>
    <message>
        <source>Find a command</source>
        <extracomment>What it is called in the code, so that the English name finds it in any language.</extracomment>
        <translation>查找命令</translation>
    </message>
    <message>
        <source>What do you want to do?</source>
        <translation>想做什么？</translation>
    </message>
    <message>
        <source>Commands</source>
        <translation>命令</translation>
    </message>
</context>
<context>
    <name>ProbeBox</name>
    <message>
        <source>Stop the probe</source>
        <translation>停止试探</translation>
    </message>
    <message>
        <source>Try out 1, 2, 4, 8, … workers</source>
        <translation>试用 1、2、4、8、… 个工作线程</translation>
    </message>
    <message>
        <source>Progress of the probe</source>
        <translation>试探的进度</translation>
    </message>
    <message>
        <source>the probe</source>
        <translation>试探</translation>
    </message>
    <message>
        <source>&lt;p&gt;Workers share the disk, the network and the target, so twice as many rarely do twice as much. The probe sends your files with 1, 2, 4, 8, … workers for some seconds each, to see from where on more hardly help, and then goes back to what you had. It needs files in the line.&lt;/p&gt;&lt;p&gt;The curve through what it finds is the Universal Scalability Law. The article&apos;s μ is that of one worker.&lt;/p&gt;</source>
        <translation>&lt;p&gt;工作线程共用磁盘、网络和目标，所以数量加倍很少能让完成量加倍。试探依次用 1、2、4、8、… 个工作线程各发送你的文件几秒钟，看从多少起再增加几乎无益，然后恢复原来的数量。系统中需要有文件。&lt;/p&gt;&lt;p&gt;穿过测量结果的曲线是通用可扩展性定律。文中的 μ 是单个工作线程的。&lt;/p&gt;</translation>
    </message>
</context>
<context>
    <name>Quantity</name>
    <message>
        <source>arrival rate</source>
        <extracomment>Between what the value lies, where that is told.</extracomment>
        <translation>到达率</translation>
    </message>
    <message>
        <source>Files that joined the line in the window, divided by the window&apos;s length. A retry is not a new arrival.</source>
        <translation>统计窗口内加入队列的文件数，除以窗口长度。重试不算新的到达。</translation>
    </message>
    <message>
        <source>The article: event generation rate, λ = E/T. The same.</source>
        <translation>文中称为：事件生成率，λ = E/T。含义相同。</translation>
    </message>
    <message>
        <source>throughput</source>
        <translation>吞吐量</translation>
    </message>
    <message>
        <source>Files finished in the window, divided by the window&apos;s length.</source>
        <translation>统计窗口内完成的文件数，除以窗口长度。</translation>
    </message>
    <message>
        <source>The article: event handling rate, μ = D/T. That is X; it equals what the workers can do only while the line is never empty.</source>
        <translation>文中称为：事件处理率，μ = D/T。那其实是 X；只有系统始终不空时，它才等于工作线程的处理能力。</translation>
    </message>
    <message>
        <source>service rate</source>
        <translation>服务率</translation>
    </message>
    <message>
        <source>Attempts that ended in the window, divided by the time that workers were busy: the pace of one worker while it works.</source>
        <translation>统计窗口内结束的尝试次数，除以工作线程忙碌的时间：一个工作线程工作时的速度。</translation>
    </message>
    <message>
        <source>The article: the μ of its formulas, for one worker.</source>
        <translation>文中：即其公式里的 μ，针对一个工作线程。</translation>
    </message>
    <message>
        <source>capacity</source>
        <translation>处理能力</translation>
    </message>
    <message>
        <source>What all c workers together could finish at the pace of one, μ. When λ reaches it, the line is unstable: the queue grows without end.</source>
        <translation>全部 c 个工作线程各以 μ 的速度合计所能完成的量。λ 一旦达到它，系统就不稳定：队列无限增长。</translation>
    </message>
    <message>
        <source>utilisation</source>
        <translation>利用率</translation>
    </message>
    <message>
        <source>The time that workers were busy in the window, divided by the time that they were there.</source>
        <translation>统计窗口内工作线程忙碌的时间，除以它们存在的时间。</translation>
    </message>
    <message>
        <source>The article: X = λ/μ, called throughput there. It is ρ = λ/(cμ): a share, not a rate.</source>
        <translation>文中：X = λ/μ，文中称之为吞吐量。它其实是 ρ = λ/(cμ)：是比例，不是速率。</translation>
    </message>
    <message>
        <source>in the line</source>
        <translation>系统中</translation>
    </message>
    <message>
        <source>How many files were in the line, waiting or being sent, on average over the window.</source>
        <translation>统计窗口内，系统中（等待的和正在发送的）文件数的平均值。</translation>
    </message>
    <message>
        <source>The article: queue length, L = λ²/(μ(μ − λ)). That formula gives Lq, the files that wait, for one worker and random arrivals.</source>
        <translation>文中称为：队列长度，L = λ²/(μ(μ − λ))。该公式给出的是 Lq，即一个工作线程、随机到达时等待的文件数。</translation>
    </message>
    <message>
        <source>Files in the line at this moment, waiting or being sent.</source>
        <translation>此刻系统中（等待的和正在发送的）文件数。</translation>
    </message>
    <message>
        <source>waiting</source>
        <translation>等待</translation>
    </message>
    <message>
        <source>Files that wait for a worker at this moment, those that wait to be tried again included.</source>
        <translation>此刻等待工作线程的文件数，含等待重试的文件。</translation>
    </message>
    <message>
        <source>The article: queue length, L.</source>
        <translation>文中称为：队列长度，L。</translation>
    </message>
    <message>
        <source>How many files waited for a worker, those that waited to be tried again included, on average over the window.</source>
        <translation>统计窗口内等待工作线程的文件数（含等待重试的）的平均值。</translation>
    </message>
    <message>
        <source>workers</source>
        <translation>工作线程</translation>
    </message>
    <message>
        <source>How many workers there were, on average over the window.</source>
        <translation>统计窗口内工作线程数的平均值。</translation>
    </message>
    <message>
        <source>mean wait</source>
        <translation>平均等待</translation>
    </message>
    <message>
        <source>From joining the line to the first start, on average over the files that finished in the window.</source>
        <translation>从加入队列到首次开始的时间，对统计窗口内完成的文件取平均。</translation>
    </message>
    <message>
        <source>mean</source>
        <translation>平均</translation>
    </message>
    <message>
        <source>From joining the line to finished, on average over the files that finished in the window.</source>
        <translation>从加入队列到完成的时间，对统计窗口内完成的文件取平均。</translation>
    </message>
    <message>
        <source>The article: response time, τ = L/μ. Little&apos;s law is τ = L/λ.</source>
        <translation>文中称为：响应时间，τ = L/μ。利特尔法则是 τ = L/λ。</translation>
    </message>
    <message>
        <source>p50</source>
        <translation>p50</translation>
    </message>
    <message>
        <source>Half of the files that finished in the window took at most this long, from joining the line to finished.</source>
        <translation>统计窗口内完成的文件中，有一半从加入队列到完成不超过这个时间。</translation>
    </message>
    <message>
        <source>p95</source>
        <translation>p95</translation>
    </message>
    <message>
        <source>Of 100 files that finished in the window, 95 took at most this long, from joining the line to finished.</source>
        <translation>统计窗口内完成的文件，每 100 个中有 95 个从加入队列到完成不超过这个时间。</translation>
    </message>
    <message>
        <source>The article: response time, τ = L/μ, a mean. Little&apos;s law is τ = L/λ.</source>
        <translation>文中称为：响应时间，τ = L/μ，是平均值。利特尔法则是 τ = L/λ。</translation>
    </message>
    <message>
        <source>p99</source>
        <translation>p99</translation>
    </message>
    <message>
        <source>Of 100 files that finished in the window, 99 took at most this long, from joining the line to finished.</source>
        <translation>统计窗口内完成的文件，每 100 个中有 99 个从加入队列到完成不超过这个时间。</translation>
    </message>
    <message>
        <source>oldest now</source>
        <translation>当前最久</translation>
    </message>
    <message>
        <source>How long the oldest file in the line has been there. When there is too much to do it rises first: the other times know finished files only.</source>
        <translation>系统中停留最久的文件已停留的时间。过载时它最先上升：其他时间只统计已完成的文件。</translation>
    </message>
    <message>
        <source>wanted</source>
        <translation>期望</translation>
    </message>
    <message>
        <source>The number of workers that you asked for.</source>
        <translation>你所要求的工作线程数。</translation>
    </message>
    <message>
        <source>running</source>
        <translation>运行</translation>
    </message>
    <message>
        <source>Workers alive. After you ask for fewer, those too many end when their file is sent.</source>
        <translation>存活的工作线程数。调少之后，多余的线程发完手头的文件才结束。</translation>
    </message>
    <message>
        <source>busy</source>
        <translation>忙碌</translation>
    </message>
    <message>
        <source>Workers that are sending a file at this moment.</source>
        <translation>此刻正在发送文件的工作线程数。</translation>
    </message>
    <message>
        <source>time left</source>
        <translation>剩余时间</translation>
    </message>
    <message>
        <source>How long it takes to send what is in the line now: the work left, a for each file and b for each byte, shared by the workers. a and b are fitted to the files just sent; the range holds the truth about 9 times in 10, as long as the line goes on as it does. Without a range: at the pace of the window, as too few files were sent yet.</source>
        <translation>发送完系统中现有文件所需的时间：剩余工作量（每个文件 a，每字节 b）由各工作线程分担。a 和 b 由刚发送的文件拟合；只要运行状况不变，真实值约十次有九次落在所示范围内。未显示范围时：已发送的文件太少，按统计窗口的速度估算。</translation>
    </message>
    <message>
        <source>The article: the useful meaning of its L/μ.</source>
        <translation>文中：即其 L/μ 的实际意义。</translation>
    </message>
    <message>
        <source>bytes a second</source>
        <translation>每秒字节数</translation>
    </message>
    <message>
        <source>Bytes handed to the network in the window, divided by the window&apos;s length.</source>
        <translation>统计窗口内交给网络的字节数，除以窗口长度。</translation>
    </message>
</context>
<context>
    <name>Reader</name>
    <message>
        <source>{} is empty: record a log first.</source>
        <translation>{} 是空的：请先记录日志。</translation>
    </message>
    <message numerus="yes">
        <source>%Ln entries of {} cannot follow from those before; left out.</source>
        <translation>
            <numerusform>{} 中有 %Ln 条记录与前文不符，已略去。</numerusform>
        </translation>
    </message>
    <message>
        <source>There is no history yet: send something first.</source>
        <translation>尚无历史：请先发送一些文件。</translation>
    </message>
    <message>
        <source>history</source>
        <translation>历史</translation>
    </message>
</context>
<context>
    <name>Report</name>
    <message>
        <source>arrivals</source>
        <translation>到达</translation>
    </message>
    <message>
        <source>Files that joined the line. A retry is no new arrival.</source>
        <translation>加入队列的文件数。重试不算新的到达。</translation>
    </message>
    <message>
        <source>finished</source>
        <translation>完成</translation>
    </message>
    <message>
        <source>Files that were sent and verified.</source>
        <translation>已发送并校验的文件数。</translation>
    </message>
    <message>
        <source>failed</source>
        <translation>失败</translation>
    </message>
    <message>
        <source>Files that could not be sent.</source>
        <translation>无法发送的文件数。</translation>
    </message>
    <message>
        <source>retried</source>
        <translation>重试</translation>
    </message>
    <message>
        <source>Attempts that failed in passing and were made again.</source>
        <translation>暂时失败、随后重试的尝试次数。</translation>
    </message>
    <message>
        <source>cancelled</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Files that were taken out of the line.</source>
        <translation>从队列中移除的文件数。</translation>
    </message>
    <message>
        <source>arrival rate</source>
        <translation>到达率</translation>
    </message>
    <message>
        <source>Arrivals divided by the time.</source>
        <translation>到达的文件数，除以时间。</translation>
    </message>
    <message>
        <source>throughput</source>
        <translation>吞吐量</translation>
    </message>
    <message>
        <source>Files finished divided by the time.</source>
        <translation>完成的文件数，除以时间。</translation>
    </message>
    <message>
        <source>service rate</source>
        <translation>服务率</translation>
    </message>
    <message>
        <source>Attempts that ended divided by the time that workers were busy: the pace of one worker while it works.</source>
        <translation>结束的尝试次数，除以工作线程忙碌的时间：一个工作线程工作时的速度。</translation>
    </message>
    <message>
        <source>utilisation</source>
        <translation>利用率</translation>
    </message>
    <message>
        <source>The time that workers were busy divided by the time that they were there.</source>
        <translation>工作线程忙碌的时间，除以它们存在的时间。</translation>
    </message>
    <message>
        <source>workers</source>
        <translation>工作线程</translation>
    </message>
    <message>
        <source>How many there were, on average.</source>
        <translation>平均有多少工作线程。</translation>
    </message>
    <message>
        <source>in the line</source>
        <translation>系统中</translation>
    </message>
    <message>
        <source>How many files were in the line, waiting or being sent, on average over the time.</source>
        <translation>这段时间内，系统中（等待的和正在发送的）文件数的平均值。</translation>
    </message>
    <message>
        <source>waiting</source>
        <translation>等待</translation>
    </message>
    <message>
        <source>How many of them waited, those that were to be tried again included, on average over the time.</source>
        <translation>其中等待的文件数（包括等待重试的），这段时间内的平均值。</translation>
    </message>
    <message>
        <source>response time, mean</source>
        <translation>响应时间，平均</translation>
    </message>
    <message>
        <source>From joining the line to finished, over the files that finished.</source>
        <translation>从加入队列到完成，对已完成的文件统计。</translation>
    </message>
    <message>
        <source>response time, p50</source>
        <translation>响应时间，p50</translation>
    </message>
    <message>
        <source>Half of the files took at most this long.</source>
        <translation>一半文件的用时不超过此值。</translation>
    </message>
    <message>
        <source>response time, p95</source>
        <translation>响应时间，p95</translation>
    </message>
    <message>
        <source>95 of 100 files took at most this long.</source>
        <translation>每 100 个文件中 95 个的用时不超过此值。</translation>
    </message>
    <message>
        <source>response time, p99</source>
        <translation>响应时间，p99</translation>
    </message>
    <message>
        <source>99 of 100 files took at most this long.</source>
        <translation>每 100 个文件中 99 个的用时不超过此值。</translation>
    </message>
    <message>
        <source>wait, mean</source>
        <translation>等待时间，平均</translation>
    </message>
    <message>
        <source>From joining the line to the first start, over the files that finished.</source>
        <translation>从加入队列到首次开始发送，对已完成的文件统计。</translation>
    </message>
    <message>
        <source> and </source>
        <extracomment>Groups of rows that a picture&apos;s curves are made of, at most. Rates and times in a picture are taken over this share of its length. Events that are listed at most.</extracomment>
        <translation> 与 </translation>
    </message>
    <message>
        <source>Dropline report: {}</source>
        <translation>Dropline 报告：{}</translation>
    </message>
    <message>
        <source>Made {} by Dropline {}. Times of day are UTC.</source>
        <translation>{} 由 Dropline {} 生成。时刻均为 UTC。</translation>
    </message>
    <message>
        <source>Figures</source>
        <translation>指标</translation>
    </message>
    <message>
        <source>Definitions</source>
        <translation>定义</translation>
    </message>
    <message>
        <source>en</source>
        <translation>zh-CN</translation>
    </message>
    <message>
        <source>workers {} → {}</source>
        <translation>工作线程 {} → {}</translation>
    </message>
    <message>
        <source>shortest first</source>
        <translation>最短优先</translation>
    </message>
    <message>
        <source>first come, first served</source>
        <translation>先到先服务</translation>
    </message>
    <message>
        <source>small files&apos; lane</source>
        <translation>小文件专道</translation>
    </message>
    <message>
        <source>order: {}</source>
        <translation>次序：{}</translation>
    </message>
    <message>
        <source>target down</source>
        <translation>目标中断</translation>
    </message>
    <message>
        <source>target up</source>
        <translation>目标恢复</translation>
    </message>
    <message>
        <source>network down</source>
        <translation>网络断开</translation>
    </message>
    <message>
        <source>network up</source>
        <translation>网络恢复</translation>
    </message>
    <message>
        <source>paused</source>
        <translation>已暂停</translation>
    </message>
    <message>
        <source>resumed</source>
        <translation>已继续</translation>
    </message>
    <message>
        <source>{} to {}</source>
        <translation>{} 至 {}</translation>
    </message>
    <message>
        <source>change</source>
        <translation>变化</translation>
    </message>
    <message>
        <source>figure</source>
        <translation>指标</translation>
    </message>
    <message>
        <source>from, to</source>
        <translation>起止时间</translation>
    </message>
    <message>
        <source>Nothing is known of this time.</source>
        <translation>这段时间没有任何记录。</translation>
    </message>
    <message>
        <source>What happened</source>
        <translation>发生了什么</translation>
    </message>
    <message>
        <source>Little&apos;s law: L = {}, X·W = {}, edge {}; they differ by {}.</source>
        <translation>利特尔法则：L = {}，X·W = {}，边界 {}；相差 {}。</translation>
    </message>
    <message>
        <source>The line was not stationary over this time.</source>
        <translation>这段时间内系统不是平稳的。</translation>
    </message>
    <message>
        <source>Percentiles are within {} of the true ones.</source>
        <translation>百分位数与真实值相差不超过 {}。</translation>
    </message>
    <message>
        <source>The figures tell of {}; in the charts, rates and times are over the last {}.</source>
        <translation>指标涵盖 {}；图表中的速率和时间按最近 {} 统计。</translation>
    </message>
    <message>
        <source>The number of workers stayed as it was, and nothing went down.</source>
        <translation>工作线程数没有变化，也没有发生中断。</translation>
    </message>
    <message>
        <source>and {} more</source>
        <translation>另有 {} 项</translation>
    </message>
    <message>
        <source>Rates</source>
        <translation>速率</translation>
    </message>
    <message>
        <source>X throughput</source>
        <translation>X 吞吐量</translation>
    </message>
    <message>
        <source>λ arrival rate</source>
        <translation>λ 到达率</translation>
    </message>
    <message>
        <source>cμ capacity</source>
        <translation>cμ 处理能力</translation>
    </message>
    <message>
        <source>Queue, files</source>
        <translation>队列，文件数</translation>
    </message>
    <message>
        <source>Lq waiting</source>
        <translation>Lq 等待</translation>
    </message>
    <message>
        <source>L in the line</source>
        <translation>L 系统中</translation>
    </message>
    <message>
        <source>Response time</source>
        <translation>响应时间</translation>
    </message>
    <message>
        <source>τ mean</source>
        <translation>τ 平均</translation>
    </message>
    <message>
        <source>Utilisation</source>
        <translation>利用率</translation>
    </message>
    <message>
        <source>ρ utilisation</source>
        <translation>ρ 利用率</translation>
    </message>
    <message>
        <source>Workers</source>
        <translation>工作线程</translation>
    </message>
    <message>
        <source>busy</source>
        <translation>忙碌</translation>
    </message>
    <message>
        <source>c workers</source>
        <translation>c 工作线程</translation>
    </message>
    <message>
        <source>Charts of the line</source>
        <translation>队列图表</translation>
    </message>
</context>
<context>
    <name>Settings</name>
    <message>
        <source>“{0}” can&apos;t be {1} here: correct it or take it out</source>
        <extracomment>Bytes that such a file has at most.</extracomment>
        <translation>“{0}” 在此不能是 {1}：请更正或删去</translation>
    </message>
    <message>
        <source>it is too large for settings: choose another file</source>
        <translation>作为设置文件太大：请选择别的文件</translation>
    </message>
    <message>
        <source>it holds no settings of Dropline: export them there first</source>
        <translation>其中没有 Dropline 的设置：请先在那边导出</translation>
    </message>
    <message>
        <source>General</source>
        <translation>通用</translation>
    </message>
    <message>
        <source>Sending</source>
        <translation>发送</translation>
    </message>
    <message>
        <source>Target</source>
        <translation>目标端</translation>
    </message>
    <message>
        <source>Receiver</source>
        <translation>接收端</translation>
    </message>
    <message>
        <source>Appearance</source>
        <translation>外观</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>语言</translation>
    </message>
    <message>
        <source>The language of the window, and how it writes figures.</source>
        <translation>窗口所用的语言，以及数字的写法。</translation>
    </message>
    <message>
        <source>As the system</source>
        <translation>跟随系统</translation>
    </message>
    <message>
        <source>Start at login</source>
        <translation>登录时启动</translation>
    </message>
    <message>
        <source>Dropline opens each time that you log in.</source>
        <translation>每次登录时打开 Dropline。</translation>
    </message>
    <message>
        <source>Notify when all is sent</source>
        <translation>全部发送后通知</translation>
    </message>
    <message>
        <source>The desktop tells you when the line has become empty, unless you look at the window.</source>
        <translation>队列清空时由桌面通知；正在看窗口时不通知。</translation>
    </message>
    <message>
        <source>Workers</source>
        <translation>工作线程</translation>
    </message>
    <message>
        <source>How many files are sent at the same time; 0 sends none.</source>
        <translation>同时发送多少个文件；0 表示不发送。</translation>
    </message>
    <message>
        <source>Fewest workers of the autopilot</source>
        <translation>自动调优的最少工作线程数</translation>
    </message>
    <message>
        <source>While it is on, it never goes below so many.</source>
        <translation>开启时不会少于此数。</translation>
    </message>
    <message>
        <source>Most workers of the autopilot</source>
        <translation>自动调优的最多工作线程数</translation>
    </message>
    <message>
        <source>While it is on, it never goes above so many.</source>
        <translation>开启时不会多于此数。</translation>
    </message>
    <message>
        <source>Goal</source>
        <translation>目标</translation>
    </message>
    <message>
        <source>What you want of the line; the advice on the number of workers follows it.</source>
        <translation>对队列的要求；工作线程数的建议以此为准。</translation>
    </message>
    <message>
        <source>Order</source>
        <translation>次序</translation>
    </message>
    <message>
        <source>Which of the files that wait is sent next.</source>
        <translation>等待的文件中接下来发送哪一个。</translation>
    </message>
    <message>
        <source>Limit</source>
        <translation>限速</translation>
    </message>
    <message>
        <source>How many bytes a second all workers together may send: choose, or type such as 800K or 5M.</source>
        <translation>所有工作线程合计每秒最多发送的字节数：可选择，也可输入 800K 或 5M 之类。</translation>
    </message>
    <message>
        <source>Watched folders</source>
        <translation>监视的文件夹</translation>
    </message>
    <message>
        <source>Folders whose files are sent by themselves, now and as they come.</source>
        <translation>其中的文件会自动发送，现有的和新来的都会。</translation>
    </message>
    <message>
        <source>Watched folders…</source>
        <translation>监视的文件夹…</translation>
    </message>
    <message>
        <source>The receiver in this window</source>
        <translation>本窗口内的接收端</translation>
    </message>
    <message>
        <source>Send to</source>
        <translation>发送到</translation>
    </message>
    <message>
        <source>Where files go, from the next start on.</source>
        <translation>文件发往何处，下次启动起生效。</translation>
    </message>
    <message>
        <source>Targets</source>
        <translation>目标端</translation>
    </message>
    <message>
        <source>Each with its address, user and limit; its password is in the system&apos;s keyring alone, and a test says whether it takes files.</source>
        <translation>各有地址、用户和限速；密码只存于系统密钥环，测试会说明其能否接收文件。</translation>
    </message>
    <message>
        <source>Targets…</source>
        <translation>目标端…</translation>
    </message>
    <message>
        <source>Port</source>
        <translation>端口</translation>
    </message>
    <message>
        <source>Where the receiver in this window listens, from the next start on; the next free one where this is taken.</source>
        <translation>本窗口内接收端监听的端口，下次启动起生效；被占用时取下一个空闲端口。</translation>
    </message>
    <message>
        <source>Other devices</source>
        <translation>其他设备</translation>
    </message>
    <message>
        <source>A phone or another computer may send here, until you end it.</source>
        <translation>允许手机或其他电脑向这里发送，直到你结束为止。</translation>
    </message>
    <message>
        <source>Send from a phone…</source>
        <translation>从手机发送…</translation>
    </message>
    <message>
        <source>Theme</source>
        <translation>主题</translation>
    </message>
    <message>
        <source>Light or dark colours, or those of the system.</source>
        <translation>浅色、深色，或与系统一致。</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>浅色</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>深色</translation>
    </message>
    <message>
        <source>Motion</source>
        <translation>动效</translation>
    </message>
    <message>
        <source>Reduced, the charts step once a second instead of gliding, and menus appear at once.</source>
        <translation>减少时，图表每秒跳动一次而不再平滑移动，菜单立即出现。</translation>
    </message>
    <message>
        <source>Full</source>
        <translation>完整</translation>
    </message>
    <message>
        <source>Reduced</source>
        <translation>减少</translation>
    </message>
    <message>
        <source>Figures over the last</source>
        <translation>指标的统计窗口</translation>
    </message>
    <message>
        <source>Over how long rates and times are measured: a short time shows changes at once, a long one is calmer.</source>
        <translation>速率与时间在多长时段内统计：短则变化立见，长则更平稳。</translation>
    </message>
</context>
<context>
    <name>SettingsDialog</name>
    <message>
        <source>Saved as {}</source>
        <extracomment>It was set. A file was read: its text, or a sentence that says why not.</extracomment>
        <translation>已保存为 {}</translation>
    </message>
    <message>
        <source>Settings</source>
        <translation>设置</translation>
    </message>
    <message>
        <source>What do you want to set?</source>
        <translation>想设置什么？</translation>
    </message>
    <message>
        <source>Find a setting</source>
        <translation>查找设置</translation>
    </message>
    <message>
        <source>Sections</source>
        <translation>分区</translation>
    </message>
    <message>
        <source>No setting has these words: try others, or fewer of them.</source>
        <translation>没有包含这些词的设置：换些词，或少用几个。</translation>
    </message>
    <message>
        <source>&amp;Export…</source>
        <translation>导出(&amp;E)…</translation>
    </message>
    <message>
        <source>&amp;Import…</source>
        <translation>导入(&amp;I)…</translation>
    </message>
    <message>
        <source>All settings into a file, without passwords</source>
        <translation>把全部设置写入文件，不含密码</translation>
    </message>
    <message>
        <source>Settings from such a file; what it does not name stays</source>
        <translation>从这样的文件读入设置；其中没有的保持不变</translation>
    </message>
    <message>
        <source>Export the settings</source>
        <translation>导出设置</translation>
    </message>
    <message>
        <source>Import settings</source>
        <translation>导入设置</translation>
    </message>
    <message>
        <source>“{0}” was not imported, and nothing was changed: {1}.</source>
        <translation>“{0}” 未导入，设置没有改变：{1}。</translation>
    </message>
    <message>
        <source>Imported from “{}”.</source>
        <translation>已从 “{}” 导入。</translation>
    </message>
</context>
<context>
    <name>ShareDialog</name>
    <message>
        <source>One moment…</source>
        <extracomment>The side of the QR code, in device-independent pixels at least. Light modules around the code, without which readers do not find it. Let others in, and tell the address by `show_address`. Let nobody in any more.</extracomment>
        <translation>请稍候…</translation>
    </message>
    <message>
        <source>Point the phone&apos;s camera here. Whoever in your network knows this address can send files here, see and delete those that are stored, until you end it or close Dropline. The network itself can read what is sent.</source>
        <translation>请用手机摄像头扫描。你的网络中凡知道此地址的人，都可以向这里发送文件，并查看和删除已存储的文件，直到你结束共享或关闭 Dropline。网络本身能读到所发送的内容。</translation>
    </message>
    <message>
        <source>QR code of {}</source>
        <translation>{} 的二维码</translation>
    </message>
    <message>
        <source>Send from a phone</source>
        <translation>从手机发送</translation>
    </message>
    <message>
        <source>Copy the address</source>
        <translation>复制地址</translation>
    </message>
    <message>
        <source>Let nobody in any more</source>
        <translation>结束共享</translation>
    </message>
</context>
<context>
    <name>Simulation</name>
    <message>
        <source>0 workers: nothing is served.</source>
        <translation>0 个工作线程：什么都不会处理。</translation>
    </message>
    <message>
        <source>Theory: the batch takes {}.</source>
        <translation>理论值：这一批需要 {}。</translation>
    </message>
    <message>
        <source>Theory has no formula for this.</source>
        <translation>理论上没有适用的公式。</translation>
    </message>
    <message>
        <source>Unstable: {0} come and {1} can be served, so the queue grows without end. {2} workers keep up.</source>
        <translation>不稳定：到达 {0}，只能处理 {1}，队列会无限增长。需要 {2} 个工作线程才跟得上。</translation>
    </message>
    <message>
        <source>Theory ({0}): ρ {1}, L {2}, τ {3}, wait {4}.</source>
        <translation>理论值（{0}）：ρ {1}，L {2}，τ {3}，等待 {4}。</translation>
    </message>
    <message>
        <source>{0} jobs come at once and take {1} on average.</source>
        <translation>{0} 个任务同时到达，平均各需 {1}。</translation>
    </message>
    <message>
        <source>Jobs come at {0} and take {1} on average.</source>
        <translation>任务以 {0} 的速率到达，平均各需 {1}。</translation>
    </message>
</context>
<context>
    <name>SimulationDialog</name>
    <message>
        <source>&amp;Start again</source>
        <extracomment>Of its sentences, in pixels. A `Plan`.</extracomment>
        <translation>重新开始(&amp;S)</translation>
    </message>
    <message>
        <source>&amp;Start</source>
        <translation>开始(&amp;S)</translation>
    </message>
    <message>
        <source>Simulate load</source>
        <translation>模拟负载</translation>
    </message>
    <message>
        <source>Jobs come by themselves and keep workers busy for a while: no file is sent. Watch the charts, move the workers&apos; slider, and see what theory says.</source>
        <translation>任务自行到达，让工作线程忙上一阵，但不发送任何文件。观察图表，拖动工作线程滑块，看看理论怎么说。</translation>
    </message>
    <message>
        <source>&amp;Jobs come</source>
        <translation>任务到达(&amp;J)</translation>
    </message>
    <message>
        <source>&amp;Rate</source>
        <translation>到达率(&amp;R)</translation>
    </message>
    <message>
        <source>&amp;How many</source>
        <translation>数量(&amp;H)</translation>
    </message>
    <message>
        <source>Ser&amp;vice time</source>
        <translation>服务时间(&amp;V)</translation>
    </message>
    <message>
        <source>&amp;Mean</source>
        <translation>平均值(&amp;M)</translation>
    </message>
    <message>
        <source>V&amp;ariability cs²</source>
        <translation>变异性 cs²(&amp;A)</translation>
    </message>
    <message>
        <source>&amp;Workers at first</source>
        <translation>初始工作线程(&amp;W)</translation>
    </message>
    <message>
        <source>By chance (Poisson)</source>
        <translation>随机（泊松）</translation>
    </message>
    <message>
        <source>Evenly</source>
        <translation>均匀</translation>
    </message>
    <message>
        <source>All at once (a batch)</source>
        <translation>同时（一批）</translation>
    </message>
    <message>
        <source>Exponential</source>
        <translation>指数分布</translation>
    </message>
    <message>
        <source>Always the same</source>
        <translation>恒定</translation>
    </message>
    <message>
        <source>Log-normal: a few take long</source>
        <translation>对数正态：少数耗时很长</translation>
    </message>
    <message>
        <source> a second</source>
        <translation> 个/秒</translation>
    </message>
    <message>
        <source> s</source>
        <translation> 秒</translation>
    </message>
    <message>
        <source>cs² = variance/mean²: 0 for equal times, 1 for exponential</source>
        <translation>cs² = 方差/均值²：时间恒定时为 0，指数分布时为 1</translation>
    </message>
    <message>
        <source>S&amp;top</source>
        <translation>停止(&amp;T)</translation>
    </message>
</context>
<context>
    <name>StatusBar</name>
    <message>
        <source>{} copied</source>
        <extracomment>By how much, relative to L, the two sides of Little&apos;s law may differ: rounding, and no more. Try a target that is down now. Let other devices send here.</extracomment>
        <translation>已复制 {}</translation>
    </message>
    <message>
        <source>&amp;Copy the address</source>
        <translation>复制地址(&amp;C)</translation>
    </message>
    <message>
        <source>&amp;Open the upload page in the browser</source>
        <translation>在浏览器中打开上传页面(&amp;O)</translation>
    </message>
    <message>
        <source>&amp;Send from a phone…</source>
        <translation>从手机发送(&amp;S)…</translation>
    </message>
    <message>
        <source>Try now</source>
        <translation>立即重试</translation>
    </message>
    <message>
        <source>Try the target at once, instead of after the pause</source>
        <translation>不再等待，立即尝试连接目标</translation>
    </message>
    <message>
        <source>Receiver starts…</source>
        <translation>接收端正在启动…</translation>
    </message>
    <message>
        <source>Receiver stopped</source>
        <translation>接收端已停止</translation>
    </message>
    <message>
        <source>Receiver: {}</source>
        <translation>接收端：{}</translation>
    </message>
    <message>
        <source>The receiver listens here. Click to copy the address, hold for more.</source>
        <translation>接收端在此地址监听。单击复制地址，按住显示更多。</translation>
    </message>
    <message>
        <source>Target: the last attempt, at {0}, failed: {1}</source>
        <translation>目标：{0} 的最近一次尝试失败：{1}</translation>
    </message>
    <message>
        <source>Target: answers again since {}</source>
        <translation>目标：自 {} 起恢复响应</translation>
    </message>
    <message>
        <source>Target: answers, last file verified at {}</source>
        <translation>目标：响应正常，最近一次校验文件于 {}</translation>
    </message>
    <message>
        <source>Target: down since {}</source>
        <translation>目标：自 {} 起无法访问</translation>
    </message>
    <message>
        <source>{0}, {1}</source>
        <translation>{0}，{1}</translation>
    </message>
    <message>
        <source>next try in {}</source>
        <translation>{}后再试</translation>
    </message>
    <message>
        <source>being tried…</source>
        <translation>正在尝试…</translation>
    </message>
    <message>
        <source>tried again with the next file</source>
        <translation>发送下一个文件时再试</translation>
    </message>
    <message>
        <source>Little&apos;s law: the line is empty</source>
        <translation>利特尔法则：系统为空</translation>
    </message>
    <message>
        <source>Little&apos;s law: L {0} = X·W {1} {2} {3} at the edges</source>
        <translation>利特尔法则：L {0} = X·W {1} {2} 边界 {3}</translation>
    </message>
    <message>
        <source>{0} ✗ off by {1}</source>
        <translation>{0} ✗ 相差 {1}</translation>
    </message>
    <message>
        <source>&lt;p&gt;&lt;b&gt;Little&apos;s law&lt;/b&gt; checks the figures against each other: the mean number in the line, L, is throughput times mean response time, X·W, plus what the window&apos;s edges cut off, the change in the total age of those present. It holds exactly, for any window and any order of service.&lt;/p&gt;</source>
        <translation>&lt;p&gt;&lt;b&gt;利特尔法则&lt;/b&gt;让各项指标相互验证：系统中的平均文件数 L，等于吞吐量乘以平均响应时间 X·W，再加上被统计窗口边界截去的部分，即在场文件总停留时间的变化。对任何窗口、任何服务次序，它都精确成立。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;The edges weigh more than a fifth now: the line is filling or emptying, so L = X·W by itself says little about this window.&lt;/p&gt;</source>
        <translation>&lt;p&gt;此刻边界部分超过五分之一：系统正在积压或排空，单凭 L = X·W 不足以说明这个窗口。&lt;/p&gt;</translation>
    </message>
</context>
<context>
    <name>Tiles</name>
    <message>
        <source>response</source>
        <translation>响应时间</translation>
    </message>
    <message>
        <source>paused</source>
        <translation>已暂停</translation>
    </message>
    <message>
        <source>unstable</source>
        <translation>不稳定</translation>
    </message>
    <message>
        <source>Figures of the line</source>
        <translation>系统指标</translation>
    </message>
    <message>
        <source>λ ≥ cμ: {} arrive, {} can be sent. The queue grows.</source>
        <translation>λ ≥ cμ：到达 {}，能发送 {}。队列在增长。</translation>
    </message>
    <message>
        <source>{} sent</source>
        <translation>发送 {}</translation>
    </message>
    <message>
        <source>over the last {}</source>
        <translation>最近 {}</translation>
    </message>
    <message>
        <source>nothing measured yet</source>
        <translation>尚无测量</translation>
    </message>
</context>
<context>
    <name>Toolbar</name>
    <message>
        <source>Over</source>
        <extracomment>Windows that figures may be taken over, in seconds. Lengths of time that the charts may show, in seconds.</extracomment>
        <translation>统计</translation>
    </message>
    <message>
        <source>Show</source>
        <translation>显示</translation>
    </message>
    <message>
        <source>Figures over the last</source>
        <translation>指标的统计窗口</translation>
    </message>
    <message>
        <source>Rates, times and utilisation are taken over this long, up to now.</source>
        <translation>速率、时间和利用率按截至现在的这段时间统计。</translation>
    </message>
    <message>
        <source>Length of time shown</source>
        <translation>显示的时长</translation>
    </message>
    <message>
        <source>How much time the charts show.</source>
        <translation>图表显示多长的时间。</translation>
    </message>
    <message>
        <source>Follow</source>
        <translation>跟随</translation>
    </message>
    <message>
        <source>Show the time up to now (F).</source>
        <translation>显示到现在为止的时间（F）。</translation>
    </message>
    <message>
        <source>Freeze</source>
        <translation>冻结</translation>
    </message>
    <message>
        <source>Hold the charts still (Space). Sending goes on, and nothing is missed.</source>
        <translation>让图表静止（空格键）。发送照常进行，不会遗漏任何数据。</translation>
    </message>
    <message>
        <source>Export</source>
        <translation>导出</translation>
    </message>
    <message>
        <source>Save what the charts show.</source>
        <translation>保存图表所显示的内容。</translation>
    </message>
    <message>
        <source>&amp;Picture (PNG)…</source>
        <translation>图片 (PNG)(&amp;P)…</translation>
    </message>
    <message>
        <source>&amp;Drawing (SVG)…</source>
        <translation>矢量图 (SVG)(&amp;D)…</translation>
    </message>
    <message>
        <source>&amp;Table of the readings (CSV)…</source>
        <translation>读数表 (CSV)(&amp;T)…</translation>
    </message>
    <message>
        <source>&amp;Report (HTML)…</source>
        <translation>报告 (HTML)(&amp;R)…</translation>
    </message>
</context>
<context>
    <name>TransfersModel</name>
    <message>
        <source>State</source>
        <extracomment>Seconds from an event to its showing: quick enough to be read, and painted a tenth as often. A list so long that telling takes its time is told so many times that time apart. Seconds of a frame that the search may take. Beyond so many separate pieces it is quicker to lay out the list anew than to change it. The number of files by state changed.</extracomment>
        <translation>状态</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>名称</translation>
    </message>
    <message>
        <source>Size</source>
        <translation>大小</translation>
    </message>
    <message>
        <source>Attempt</source>
        <translation>尝试</translation>
    </message>
    <message>
        <source>Speed</source>
        <translation>速度</translation>
    </message>
    <message>
        <source>Result</source>
        <translation>结果</translation>
    </message>
    <message>
        <source>Waiting</source>
        <translation>等待</translation>
    </message>
    <message>
        <source>Sending {}</source>
        <translation>发送中 {}</translation>
    </message>
    <message>
        <source>Sending</source>
        <translation>发送中</translation>
    </message>
    <message>
        <source>Retry in {}</source>
        <translation>{}后重试</translation>
    </message>
    <message>
        <source>Held</source>
        <translation>暂停</translation>
    </message>
    <message>
        <source>Sent</source>
        <translation>已发送</translation>
    </message>
    <message>
        <source>Failed</source>
        <translation>失败</translation>
    </message>
    <message>
        <source>Cancelled</source>
        <translation>已取消</translation>
    </message>
    <message>
        <source>Refused</source>
        <translation>已拒绝</translation>
    </message>
    <message>
        <source>Verified: was there already</source>
        <translation>已校验：接收端原已存有</translation>
    </message>
    <message>
        <source>Unchanged: sent there before</source>
        <translation>未改动：此前已发送</translation>
    </message>
    <message>
        <source>Until you resume it</source>
        <translation>等你继续</translation>
    </message>
    <message>
        <source>Goes before the others</source>
        <translation>优先发送</translation>
    </message>
    <message>
        <source>Verified</source>
        <translation>已校验</translation>
    </message>
    <message>
        <source>Sent: size checked</source>
        <translation>已发送：大小相符</translation>
    </message>
    <message>
        <source>Sent: not verified by the server</source>
        <translation>已发送：服务器未校验</translation>
    </message>
</context>
<context>
    <name>TransfersPanel</name>
    <message>
        <source>All</source>
        <extracomment>Milliseconds between two looks at the counts. Milliseconds after the last key before the list is searched. A panel that is narrower than these pixels has pictures on its buttons, without words. The filters in order, and the states that each shows; an empty set is all. Filters that show only once there is something for them. Filters that tell at once why the first file was not sent. Job ids to cancel or to retry; None stands for all. Job ids, as `TransfersView` asks for them. Whether there are files to retry, files to cancel, and a scan to stop. A sentence that the user must read.</extracomment>
        <translation>全部</translation>
    </message>
    <message>
        <source>Waiting</source>
        <translation>等待</translation>
    </message>
    <message>
        <source>Sending</source>
        <translation>发送中</translation>
    </message>
    <message>
        <source>Held</source>
        <translation>暂停</translation>
    </message>
    <message>
        <source>Sent</source>
        <translation>已发送</translation>
    </message>
    <message>
        <source>Failed</source>
        <translation>失败</translation>
    </message>
    <message>
        <source>Cancelled</source>
        <translation>已取消</translation>
    </message>
    <message>
        <source>Refused</source>
        <translation>已拒绝</translation>
    </message>
    <message>
        <source>Show only these files</source>
        <translation>只显示这些文件</translation>
    </message>
    <message>
        <source>Search</source>
        <translation>搜索</translation>
    </message>
    <message>
        <source>Search names and errors (Ctrl+F)</source>
        <translation>搜索名称和错误（Ctrl+F）</translation>
    </message>
    <message>
        <source>Search names and errors</source>
        <translation>搜索名称和错误</translation>
    </message>
    <message>
        <source>Retry failed</source>
        <translation>重试失败项</translation>
    </message>
    <message>
        <source>Cancel all</source>
        <translation>全部取消</translation>
    </message>
    <message>
        <source>Why the current file was not sent</source>
        <translation>当前文件未发送的原因</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>Find no more files; those already found stay in the line</source>
        <translation>不再查找文件；已找到的文件仍留在队列中</translation>
    </message>
    <message numerus="yes">
        <source>Scanning… %Ln file(s) found</source>
        <translation>
            <numerusform>正在扫描… 已找到 %Ln 个文件</numerusform>
        </translation>
    </message>
    <message>
        <source>{0}, {1} refused</source>
        <translation>{0}，拒绝 {1} 个</translation>
    </message>
</context>
<context>
    <name>TransfersView</name>
    <message>
        <source>Transfers</source>
        <extracomment>Lines that are copied to the clipboard at most. Widths of the columns at first, in digits; the last takes the rest, and this at least. Columns that a narrow list does without, and how many digits wide it must be to have them. An action, and the states of the files that it acts on. Milliseconds between repaints of what changes with time alone (&quot;retry in&quot;). Job ids, and the priority that they are to have. A sentence that the user must read.</extracomment>
        <translation>传输</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>暂停</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>继续</translation>
    </message>
    <message>
        <source>Send first</source>
        <translation>优先发送</translation>
    </message>
    <message>
        <source>Usual turn</source>
        <translation>恢复正常次序</translation>
    </message>
    <message>
        <source>Retry</source>
        <translation>重试</translation>
    </message>
    <message>
        <source>Send again</source>
        <translation>再次发送</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Copy path</source>
        <translation>复制路径</translation>
    </message>
    <message>
        <source>Copy error</source>
        <translation>复制错误</translation>
    </message>
    <message>
        <source>Show in folder</source>
        <translation>在文件夹中显示</translation>
    </message>
    <message>
        <source>Only the first {} lines were copied: select fewer rows.</source>
        <translation>只复制了前 {} 行：请少选几行。</translation>
    </message>
    <message>
        <source>No file in the list fits what you look for.</source>
        <translation>列表中没有符合条件的文件。</translation>
    </message>
    <message>
        <source>Nothing here yet</source>
        <translation>这里还没有文件</translation>
    </message>
    <message>
        <source>Drop files or folders on the window. Each file becomes a row, is sent by one of the workers and counts as sent once the receiver has proved that it holds every byte.</source>
        <translation>把文件或文件夹拖到窗口上。每个文件成为一行，由某个工作线程发送；接收端证明已收到每一个字节后，才算已发送。</translation>
    </message>
</context>
<context>
    <name>Tray</name>
    <message>
        <source>&amp;Show or hide the window</source>
        <extracomment>Whether the desktop is told that a drop is through.</extracomment>
        <translation>显示或隐藏窗口(&amp;S)</translation>
    </message>
    <message>
        <source>&amp;Pause</source>
        <translation>暂停(&amp;P)</translation>
    </message>
    <message>
        <source>&amp;Quit</source>
        <translation>退出(&amp;Q)</translation>
    </message>
    <message>
        <source>Dropline: nothing to send</source>
        <translation>Dropline：没有待发送的文件</translation>
    </message>
    <message numerus="yes">
        <source>Dropline: %Ln file(s) to send</source>
        <translation>
            <numerusform>Dropline：待发送 %Ln 个文件</numerusform>
        </translation>
    </message>
    <message>
        <source>{}, paused</source>
        <translation>{}，已暂停</translation>
    </message>
    <message>
        <source>{0}, about {1}</source>
        <translation>{0}，约 {1}</translation>
    </message>
</context>
<context>
    <name>Tune</name>
    <message>
        <source>No prediction has been checked yet: change the workers and wait a little.</source>
        <translation>还没有预测得到检验：请改动工作线程数并稍等。</translation>
    </message>
    <message>
        <source>Time a file takes (τ)</source>
        <translation>每个文件的用时 (τ)</translation>
    </message>
    <message>
        <source>Files in the line (L)</source>
        <translation>系统中的文件 (L)</translation>
    </message>
    <message>
        <source>Time until all is sent</source>
        <translation>全部发送完所需时间</translation>
    </message>
    <message>
        <source>at least {}</source>
        <translation>至少 {}</translation>
    </message>
</context>
<context>
    <name>TunePanel</name>
    <message>
        <source>the curve</source>
        <extracomment>Of the ledger&apos;s latest records, so many are points of the curve. A number of workers, chosen on the curve or taken from the advice.</extracomment>
        <translation>曲线</translation>
    </message>
    <message>
        <source>What is predicted: –</source>
        <translation>预测：–</translation>
    </message>
    <message>
        <source>Nothing is in the line now.</source>
        <translation>现在系统中没有文件。</translation>
    </message>
    <message numerus="yes">
        <source>With %Ln worker(s): more files come than are sent, and the queue grows without end.</source>
        <translation>
            <numerusform>用 %Ln 个工作线程：到来的文件多于发送的，队列会无限增长。</numerusform>
        </translation>
    </message>
    <message>
        <source>predicted</source>
        <translation>预测</translation>
    </message>
    <message>
        <source>now</source>
        <translation>现在</translation>
    </message>
    <message>
        <source>advised</source>
        <translation>建议</translation>
    </message>
    <message>
        <source>from here on more hardly help</source>
        <translation>从此再增加几乎无益</translation>
    </message>
    <message>
        <source>measured earlier</source>
        <translation>先前实测</translation>
    </message>
    <message>
        <source>&lt;p&gt;The line shows what is predicted for each number of workers, from how files come and how long they take now. Dotted: so many were never tried. Left of it, more files come than are sent.&lt;/p&gt;</source>
        <translation>&lt;p&gt;曲线显示每种工作线程数的预测，依据是文件现在到来的情况和所需的时间。虚线：从未试用过这么多。曲线左侧，到来的文件多于发送的。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>What the curve shows</source>
        <translation>曲线显示什么</translation>
    </message>
    <message>
        <source>Predictions and what came…</source>
        <translation>预测与实际…</translation>
    </message>
</context>
<context>
    <name>Tuner</name>
    <message>
        <source>{0} wanted · {1} running · {2} busy</source>
        <extracomment>The right end of the slider; more is for the spin box. Milliseconds between two changes while the slider is dragged. Seconds after the user&apos;s own change during which readings, which lag behind, don&apos;t undo it.</extracomment>
        <translation>期望 {0} · 运行 {1} · 忙碌 {2}</translation>
    </message>
    <message>
        <source>How many files are sent at the same time, 0 to {}</source>
        <translation>同时发送多少个文件，0 到 {}</translation>
    </message>
    <message>
        <source>Number of workers</source>
        <translation>工作线程数</translation>
    </message>
    <message>
        <source>Start no more uploads; running ones end (Ctrl+P)</source>
        <translation>不再开始新的上传；进行中的会完成（Ctrl+P）</translation>
    </message>
    <message>
        <source>&amp;Workers</source>
        <translation>工作线程(&amp;W)</translation>
    </message>
    <message>
        <source>&amp;Limit</source>
        <translation>限速(&amp;L)</translation>
    </message>
    <message>
        <source>One lamp a worker. Full: sends a file. Ring: is free. Orange: ends its file.</source>
        <translation>每个工作线程一盏灯。实心：正在发送文件；空心：空闲；橙色：发完当前文件即结束。</translation>
    </message>
    <message numerus="yes">
        <source>Fewer: %Ln running upload(s) end first, none is broken off.</source>
        <translation>
            <numerusform>调少：先让 %Ln 个进行中的上传完成，不会中断。</numerusform>
        </translation>
    </message>
    <message>
        <source>Paused: nothing new is started until you resume.</source>
        <translation>已暂停：继续之前不会开始新的上传。</translation>
    </message>
    <message>
        <source>0 workers: nothing is sent until you ask for some.</source>
        <translation>0 个工作线程：调高之前不会发送任何文件。</translation>
    </message>
    <message>
        <source>More start at once; fewer let running uploads end first; 0 pauses.</source>
        <translation>调多立即生效；调少则先让进行中的上传完成；0 为暂停。</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>继续</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>暂停</translation>
    </message>
    <message>
        <source>Resume the line</source>
        <translation>继续全部发送</translation>
    </message>
    <message>
        <source>Pause the line</source>
        <translation>暂停全部发送</translation>
    </message>
</context>
<context>
    <name>Tuning</name>
    <message>
        <source>Nothing can be recommended until some files have been sent.</source>
        <translation>发送过一些文件之后才能给出建议。</translation>
    </message>
    <message>
        <source>Nothing waits and nothing comes: any number of workers will do.</source>
        <translation>没有文件等待，也没有文件到达：多少个工作线程都行。</translation>
    </message>
    <message>
        <source>{workers} workers: the fewest that keep up with what comes without files waiting longer than they take to send.</source>
        <translation>{workers} 个工作线程：跟得上到达、且文件等待时间不超过发送时间的最少数量。</translation>
    </message>
    <message>
        <source>{workers} workers: the fewest that meet your goal of {limit}; expected {value}.</source>
        <translation>{workers} 个工作线程：能达到目标 {limit} 的最少数量；预计 {value}。</translation>
    </message>
    <message>
        <source>{workers} workers: the fewest that are done in time; all is sent in about {value}.</source>
        <translation>{workers} 个工作线程：能按时完成的最少数量；约 {value} 全部发完。</translation>
    </message>
    <message>
        <source>{workers} workers: all is sent in about {value}, and more would hardly be faster.</source>
        <translation>{workers} 个工作线程：约 {value} 全部发完，再多也快不了多少。</translation>
    </message>
    <message>
        <source>Your goal of {limit} can&apos;t be met: sending a file alone takes longer. With {workers} workers waiting adds little to it; expected {value}.</source>
        <translation>目标 {limit} 无法达到：单是发送一个文件就不止这么久。用 {workers} 个工作线程，等待几乎不再增加耗时；预计 {value}。</translation>
    </message>
    <message>
        <source>{workers} workers: more than these would not get more done.</source>
        <translation>{workers} 个工作线程：再多也不会完成更多。</translation>
    </message>
    <message>
        <source>{workers} workers: one for each file that is left.</source>
        <translation>{workers} 个工作线程：剩余的每个文件各一个。</translation>
    </message>
    <message>
        <source>{workers} workers: twice as many as were tried; what more would do is not known.</source>
        <translation>{workers} 个工作线程：已试过数量的两倍；再多会怎样尚不清楚。</translation>
    </message>
    <message>
        <source>{workers} workers: the most that are allowed.</source>
        <translation>{workers} 个工作线程：允许的最大数量。</translation>
    </message>
    <message>
        <source>Your goal of {limit} can&apos;t be met with them: expected {value}.</source>
        <translation>这样仍达不到目标 {limit}：预计 {value}。</translation>
    </message>
    <message>
        <source>Your goal of {limit} can&apos;t be met with them: the line does not keep up.</source>
        <translation>这样仍达不到目标 {limit}：系统跟不上。</translation>
    </message>
    <message>
        <source>The autopilot went from {before} to {workers} workers.</source>
        <translation>自动调优将工作线程从 {before} 个改为 {workers} 个。</translation>
    </message>
    <message>
        <source>The predictions hold: what comes and how long it takes has been steady.</source>
        <translation>预测成立：到达情况和服务时间一直平稳。</translation>
    </message>
    <message>
        <source>Mind that these predictions are doubtful:</source>
        <translation>请注意，这些预测存疑：</translation>
    </message>
    <message>
        <source>This is a batch, and nothing more is expected: see when it is done.</source>
        <translation>这是一批文件，不会再有新的到达：请看何时完成。</translation>
    </message>
    <message>
        <source>only {value} files have come, and it takes {limit} to know how fast they do.</source>
        <translation>只到达了 {value} 个文件，要有 {limit} 个才能知道到达有多快。</translation>
    </message>
    <message>
        <source>only {value} files have been sent, and it takes {limit} to know how long one takes.</source>
        <translation>只发送了 {value} 个文件，要有 {limit} 个才能知道一个需要多久。</translation>
    </message>
    <message>
        <source>files come faster than these workers can send them, so the queue grows.</source>
        <translation>文件到达比这些工作线程发送得快，队列因此增长。</translation>
    </message>
    <message>
        <source>it can&apos;t be told yet whether these workers keep up with what comes.</source>
        <translation>尚不能判断这些工作线程是否跟得上到达。</translation>
    </message>
    <message>
        <source>the line has been watched for {value}, and needs {limit} to settle.</source>
        <translation>系统只观察了 {value}，需要 {limit} 才能稳定。</translation>
    </message>
    <message>
        <source>nothing has come for {value}.</source>
        <translation>已有 {value} 没有文件到达。</translation>
    </message>
    <message>
        <source>files come faster or slower than they did.</source>
        <translation>文件到达得比先前快或慢。</translation>
    </message>
    <message>
        <source>files take longer or shorter than they did.</source>
        <translation>文件耗时比先前长或短。</translation>
    </message>
    <message>
        <source>files come in bursts, or by the clock, rather than by chance.</source>
        <translation>文件成批或定时到达，而不是随机到达。</translation>
    </message>
    <message>
        <source>Reading the files limits the line: it takes {share} of the workers&apos; time.</source>
        <translation>瓶颈在读取文件：占工作线程时间的 {share}。</translation>
    </message>
    <message>
        <source>This computer&apos;s processor limits the line: Dropline uses {share} of one core.</source>
        <translation>瓶颈在本机处理器：Dropline 占用一个核心的 {share}。</translation>
    </message>
    <message>
        <source>The network limits the line: handing bytes to it takes {share} of the workers&apos; time.</source>
        <translation>瓶颈在网络：向网络交付字节占工作线程时间的 {share}。</translation>
    </message>
    <message>
        <source>The limit on bytes a second holds the line back: workers wait for it {share} of their time.</source>
        <translation>限速拖住了系统：工作线程有 {share} 的时间在等待限速。</translation>
    </message>
    <message>
        <source>The target limits the line: waiting for its answers takes {share} of the workers&apos; time.</source>
        <translation>瓶颈在目标：等待其响应占工作线程时间的 {share}。</translation>
    </message>
    <message>
        <source>The number of workers limits the line: they are busy {share} of the time, and more would help.</source>
        <translation>瓶颈在工作线程数：它们有 {share} 的时间在忙，再多一些会有帮助。</translation>
    </message>
    <message>
        <source>Nothing limits the line: its workers are busy only {share} of the time.</source>
        <translation>没有瓶颈：工作线程只有 {share} 的时间在忙。</translation>
    </message>
    <message>
        <source>The autopilot is on: {least} to {most} workers.</source>
        <translation>自动调优已开启：{least} 到 {most} 个工作线程。</translation>
    </message>
    <message>
        <source>The autopilot is off.</source>
        <translation>自动调优已关闭。</translation>
    </message>
    <message>
        <source>The autopilot is off: you have set the number of workers.</source>
        <translation>自动调优已关闭：你设定了工作线程数。</translation>
    </message>
    <message>
        <source>Probe, step {step} of {steps}: {workers} workers.</source>
        <translation>试探第 {step} 步，共 {steps} 步：{workers} 个工作线程。</translation>
    </message>
    <message>
        <source>The probe is done; back to {workers} workers.</source>
        <translation>试探完成；恢复为 {workers} 个工作线程。</translation>
    </message>
    <message>
        <source>The probe was stopped; back to {workers} workers.</source>
        <translation>试探已停止；恢复为 {workers} 个工作线程。</translation>
    </message>
    <message>
        <source>The probe ended: you have set the number of workers.</source>
        <translation>试探结束：你设定了工作线程数。</translation>
    </message>
    <message>
        <source>The probe ended: there is too little to send to keep so many workers busy. Drop more files and start it again. Back to {workers} workers.</source>
        <translation>试探结束：待发送的文件太少，不足以让这么多工作线程保持忙碌。请拖入更多文件后重新开始。恢复为 {workers} 个工作线程。</translation>
    </message>
</context>
<context>
    <name>View</name>
    <message>
        <source>Charts of the past</source>
        <extracomment>Seconds that rates and times may be taken over; about a hundredth of what is shown.</extracomment>
        <translation>历史图表</translation>
    </message>
    <message>
        <source>rates and times over {}</source>
        <translation>速率和时间按 {}统计</translation>
    </message>
</context>
<context>
    <name>WatchedFolders</name>
    <message>
        <source>Looking at it…</source>
        <extracomment>Milliseconds between two looks at how many files wait to be at rest, while the dialog shows. The folder to watch no more. Tell the dialog by `show_restless` which files wait to be at rest.</extracomment>
        <translation>正在查看…</translation>
    </message>
    <message numerus="yes">
        <source>Watching; %Ln file(s) wait to be at rest</source>
        <translation>
            <numerusform>监视中；%Ln 个文件仍在变动，等待其静止</numerusform>
        </translation>
    </message>
    <message>
        <source>Watching.</source>
        <translation>监视中。</translation>
    </message>
    <message>
        <source>Watched folders</source>
        <translation>已监视的文件夹</translation>
    </message>
    <message>
        <source>Folder</source>
        <translation>文件夹</translation>
    </message>
    <message>
        <source>State</source>
        <translation>状态</translation>
    </message>
    <message>
        <source>Watch a folder…</source>
        <translation>监视文件夹…</translation>
    </message>
    <message>
        <source>Stop watching</source>
        <translation>停止监视</translation>
    </message>
    <message>
        <source>What is in a watched folder, and what comes, is sent once it is at rest: each content once. Dropline watches these folders again when it starts.</source>
        <translation>所监视文件夹中现有的和新增的文件，在不再变动后发送，同一内容只发送一次。Dropline 启动时会继续监视这些文件夹。</translation>
    </message>
</context>
<context>
    <name>Welcome</name>
    <message>
        <source>How the line works</source>
        <extracomment>Files drawn at each place. The widest that it gets: longer lines of text read badly. The instruments are wanted: also after each of the ways above.</extracomment>
        <translation>队列如何运作</translation>
    </message>
    <message>
        <source>Files that you drop wait in a line. Workers take them from its front and send them to the receiver. When files come faster than they are sent, the line grows and each file takes longer: more workers may help, and Dropline says how many.</source>
        <translation>拖入的文件排成队列等待。工作线程从队首取出文件，发送到接收端。文件到达得比发送得快时，队列变长，每个文件耗时更久：增加工作线程也许有帮助，Dropline 会告诉您该用几个。</translation>
    </message>
    <message>
        <source>Try with sample files</source>
        <translation>用示例文件试试</translation>
    </message>
    <message>
        <source>Makes 300 small files and sends them to the receiver</source>
        <translation>生成 300 个小文件并发送到接收端</translation>
    </message>
    <message>
        <source>Simulate load…</source>
        <translation>模拟负载…</translation>
    </message>
    <message>
        <source>A made-up line, with charts; no file is sent</source>
        <translation>模拟一条队列并显示图表；不发送任何文件</translation>
    </message>
    <message>
        <source>Choose files…</source>
        <translation>选择文件…</translation>
    </message>
    <message>
        <source>Or drop files and folders anywhere on the window.</source>
        <translation>也可以把文件和文件夹拖到窗口的任意位置。</translation>
    </message>
    <message>
        <source>Show the charts</source>
        <translation>显示图表</translation>
    </message>
    <message>
        <source>how many come a second</source>
        <translation>每秒到达多少文件</translation>
    </message>
    <message>
        <source>how many are in the line</source>
        <translation>队列中有多少文件</translation>
    </message>
    <message>
        <source>how many a worker sends a second</source>
        <translation>一个工作线程每秒发送多少文件</translation>
    </message>
    <message>
        <source>how long a file takes, from drop to done</source>
        <translation>一个文件从拖入到完成用时多久</translation>
    </message>
    <message>
        <source>Files</source>
        <translation>文件</translation>
    </message>
    <message>
        <source>Waiting</source>
        <translation>等待</translation>
    </message>
    <message>
        <source>Workers</source>
        <translation>工作线程</translation>
    </message>
    <message>
        <source>Receiver</source>
        <translation>接收端</translation>
    </message>
</context>
<context>
    <name>Writer</name>
    <message>
        <source>{} was not written: {}. Choose another folder.</source>
        <translation>{} 未能写入：{}。请选择其他文件夹。</translation>
    </message>
</context>
<context>
    <name>counted</name>
    <message numerus="yes">
        <source>Scanning: %Ln file(s) found</source>
        <translation>
            <numerusform>正在扫描：已找到 %Ln 个文件</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Scan stopped by you: %Ln file(s) found, {0}, {1} refused</source>
        <translation>
            <numerusform>扫描已由你停止：找到 %Ln 个文件，{0}，拒绝 {1} 个</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Scan finished: %Ln file(s) found, {0}, {1} refused</source>
        <translation>
            <numerusform>扫描完成：找到 %Ln 个文件，{0}，拒绝 {1} 个</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln file(s) sent</source>
        <translation>
            <numerusform>已发送 %Ln 个文件</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln prediction(s) checked: half of the figures within {0}, {1} inside the stated range.</source>
        <translation>
            <numerusform>已检验 %Ln 次预测：一半的数值误差在 {0} 以内，{1} 落在所给范围内。</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>With %Ln worker(s): a file takes {0} from drop to done, on average ({1}).</source>
        <translation>
            <numerusform>用 %Ln 个工作线程：一个文件从拖入到完成平均需 {0}（{1}）。</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>With %Ln worker(s): {0} files are in the line, on average ({1}).</source>
        <translation>
            <numerusform>用 %Ln 个工作线程：系统中平均有 {0} 个文件（{1}）。</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>With %Ln worker(s): what is in the line now is sent in {0} ({1}).</source>
        <translation>
            <numerusform>用 %Ln 个工作线程：系统中现有的文件 {0} 后发送完（{1}）。</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>format</name>
    <message>
        <source>{} ms</source>
        <extracomment>What stands where a figure is undefined.</extracomment>
        <translation>{} 毫秒</translation>
    </message>
    <message>
        <source>{} s</source>
        <translation>{} 秒</translation>
    </message>
    <message>
        <source>{} min</source>
        <translation>{} 分</translation>
    </message>
    <message>
        <source>{} h</source>
        <translation>{} 小时</translation>
    </message>
    <message>
        <source>{} d</source>
        <translation>{} 天</translation>
    </message>
    <message>
        <source>{}/s</source>
        <translation>{}/秒</translation>
    </message>
    <message>
        <source>{}/min</source>
        <translation>{}/分</translation>
    </message>
    <message>
        <source>{}/h</source>
        <translation>{}/小时</translation>
    </message>
    <message>
        <source>{} %</source>
        <translation>{}%</translation>
    </message>
    <message>
        <source>1 byte</source>
        <extracomment>Units of time in seconds, and the value from which on each reads best.</extracomment>
        <translation>1 字节</translation>
    </message>
    <message>
        <source>d MMM</source>
        <translation>M月d日</translation>
    </message>
</context>
</TS>
