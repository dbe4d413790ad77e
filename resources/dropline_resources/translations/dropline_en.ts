<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="en" sourcelanguage="en">
<context>
    <name>AdviceCard</name>
    <message numerus="yes">
        <source>In use: %Ln worker(s)</source>
        <translation>
            <numerusform>In use: %Ln worker</numerusform>
            <numerusform>In use: %Ln workers</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>&amp;Apply: %Ln worker(s)</source>
        <translation>
            <numerusform>&amp;Apply: %Ln worker</numerusform>
            <numerusform>&amp;Apply: %Ln workers</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>With %Ln worker(s): all sent in {0} ({1}).</source>
        <translation>
            <numerusform>With %Ln worker: all sent in {0} ({1}).</numerusform>
            <numerusform>With %Ln workers: all sent in {0} ({1}).</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>With %Ln worker(s): {0} ({1}).</source>
        <translation>
            <numerusform>With %Ln worker: {0} ({1}).</numerusform>
            <numerusform>With %Ln workers: {0} ({1}).</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>Curve</name>
    <message numerus="yes">
        <source>%Ln worker(s)</source>
        <translation>
            <numerusform>%Ln worker</numerusform>
            <numerusform>%Ln workers</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>LaneStrip</name>
    <message numerus="yes">
        <source>and %Ln more in one request</source>
        <extracomment>Tells the name of a file.</extracomment>
        <translation>
            <numerusform>and %Ln more in one request</numerusform>
            <numerusform>and %Ln more in one request</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>Reader</name>
    <message numerus="yes">
        <source>%Ln entries of {} cannot follow from those before; left out.</source>
        <translation>
            <numerusform>%Ln entry of {} cannot follow from those before; it is left out.</numerusform>
            <numerusform>%Ln entries of {} cannot follow from those before; they are left out.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>TransfersPanel</name>
    <message numerus="yes">
        <source>Scanning… %Ln file(s) found</source>
        <translation>
            <numerusform>Scanning… %Ln file found</numerusform>
            <numerusform>Scanning… %Ln files found</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>Tray</name>
    <message numerus="yes">
        <source>Dropline: %Ln file(s) to send</source>
        <translation>
            <numerusform>Dropline: %Ln file to send</numerusform>
            <numerusform>Dropline: %Ln files to send</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>TunePanel</name>
    <message numerus="yes">
        <source>With %Ln worker(s): more files come than are sent, and the queue grows without end.</source>
        <translation>
            <numerusform>With %Ln worker: more files come than are sent, and the queue grows without end.</numerusform>
            <numerusform>With %Ln workers: more files come than are sent, and the queue grows without end.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>Tuner</name>
    <message numerus="yes">
        <source>Fewer: %Ln running upload(s) end first, none is broken off.</source>
        <translation>
            <numerusform>Fewer: %Ln running upload ends first, it is not broken off.</numerusform>
            <numerusform>Fewer: %Ln running uploads end first, none is broken off.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>WatchedFolders</name>
    <message numerus="yes">
        <source>Watching; %Ln file(s) wait to be at rest</source>
        <translation>
            <numerusform>Watching; %Ln file waits to be at rest</numerusform>
            <numerusform>Watching; %Ln files wait to be at rest</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>counted</name>
    <message numerus="yes">
        <source>Scanning: %Ln file(s) found</source>
        <translation>
            <numerusform>Scanning: %Ln file found</numerusform>
            <numerusform>Scanning: %Ln files found</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Scan stopped by you: %Ln file(s) found, {0}, {1} refused</source>
        <translation>
            <numerusform>Scan stopped by you: %Ln file found, {0}, {1} refused</numerusform>
            <numerusform>Scan stopped by you: %Ln files found, {0}, {1} refused</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Scan finished: %Ln file(s) found, {0}, {1} refused</source>
        <translation>
            <numerusform>Scan finished: %Ln file found, {0}, {1} refused</numerusform>
            <numerusform>Scan finished: %Ln files found, {0}, {1} refused</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln file(s) sent</source>
        <translation>
            <numerusform>%Ln file sent</numerusform>
            <numerusform>%Ln files sent</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%Ln prediction(s) checked: half of the figures within {0}, {1} inside the stated range.</source>
        <translation>
            <numerusform>%Ln prediction checked: half of the figures within {0}, {1} inside the stated range.</numerusform>
            <numerusform>%Ln predictions checked: half of the figures within {0}, {1} inside the stated range.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>With %Ln worker(s): a file takes {0} from drop to done, on average ({1}).</source>
        <translation>
            <numerusform>With %Ln worker: a file takes {0} from drop to done, on average ({1}).</numerusform>
            <numerusform>With %Ln workers: a file takes {0} from drop to done, on average ({1}).</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>With %Ln worker(s): {0} files are in the line, on average ({1}).</source>
        <translation>
            <numerusform>With %Ln worker: {0} files are in the line, on average ({1}).</numerusform>
            <numerusform>With %Ln workers: {0} files are in the line, on average ({1}).</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>With %Ln worker(s): what is in the line now is sent in {0} ({1}).</source>
        <translation>
            <numerusform>With %Ln worker: what is in the line now is sent in {0} ({1}).</numerusform>
            <numerusform>With %Ln workers: what is in the line now is sent in {0} ({1}).</numerusform>
        </translation>
    </message>
</context>
</TS>
